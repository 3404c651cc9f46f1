-- The tables of DIRAC's PilotAgentsDB, as DiracX makes them; those that are there already stay as they are. The index
-- on PilotStamp is ours: docs/adr/0008 tells how pilots are found where it is missing.
CREATE TABLE IF NOT EXISTS PilotAgents (
    PilotID INT NOT NULL AUTO_INCREMENT,
    InitialJobID INT NOT NULL DEFAULT 0,
    CurrentJobID INT NOT NULL DEFAULT 0,
    PilotJobReference VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    PilotStamp VARCHAR(32) NOT NULL DEFAULT '',
    DestinationSite VARCHAR(128) NOT NULL DEFAULT 'NotAssigned',
    Queue VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    GridSite VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    VO VARCHAR(128) NOT NULL,
    GridType VARCHAR(32) NOT NULL DEFAULT 'LCG',
    BenchMark DOUBLE NOT NULL DEFAULT 0.0,
    SubmissionTime DATETIME NULL,
    LastUpdateTime DATETIME NULL,
    Status VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    StatusReason VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    AccountingSent ENUM('True', 'False') NOT NULL DEFAULT 'False',
    PRIMARY KEY (PilotID),
    KEY PilotJobReference (PilotJobReference),
    KEY Status (Status),
    KEY Statuskey (GridSite, DestinationSite, Status),
    KEY idx_dest_queue_status (DestinationSite, Queue, Status),
    KEY PilotStamp (PilotStamp)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS JobToPilotMapping (
    PilotID INT NOT NULL,
    JobID INT NOT NULL,
    StartTime DATETIME NOT NULL,
    PRIMARY KEY (PilotID, JobID),
    KEY JobID (JobID),
    KEY PilotID (PilotID)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS PilotOutput (
    PilotID INT NOT NULL,
    StdOutput MEDIUMTEXT NOT NULL,
    StdError MEDIUMTEXT NOT NULL,
    PRIMARY KEY (PilotID)
) ENGINE = InnoDB;
