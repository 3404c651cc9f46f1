-- The table of DIRAC's JobLoggingDB, as DiracX makes it; one that is there already stays as it is.
CREATE TABLE IF NOT EXISTS LoggingInfo (
    JobID INT NOT NULL,
    SeqNum INT NOT NULL,
    Status VARCHAR(32) NOT NULL DEFAULT '',
    MinorStatus VARCHAR(128) NOT NULL DEFAULT '',
    ApplicationStatus VARCHAR(255) NOT NULL DEFAULT '',
    StatusTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    StatusTimeOrder NUMERIC(12, 3) NOT NULL DEFAULT 0,
    StatusSource VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    PRIMARY KEY (JobID, SeqNum)
) ENGINE = InnoDB;
