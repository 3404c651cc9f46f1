-- The table of DIRAC's JobLoggingDB, as DiracX makes it; one that is there already stays as it is.
CREATE TABLE IF NOT EXISTS LoggingInfo (
    JobID INTEGER NOT NULL,
    SeqNum INTEGER NOT NULL,
    Status VARCHAR(32) NOT NULL DEFAULT '',
    MinorStatus VARCHAR(128) NOT NULL DEFAULT '',
    ApplicationStatus VARCHAR(255) NOT NULL DEFAULT '',
    StatusTime DATETIME NOT NULL DEFAULT (DATETIME('now')),
    StatusTimeOrder DOUBLE NOT NULL DEFAULT 0,
    StatusSource VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    PRIMARY KEY (JobID, SeqNum)
);
