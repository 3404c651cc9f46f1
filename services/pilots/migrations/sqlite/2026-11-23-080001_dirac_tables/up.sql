-- The tables of DIRAC's PilotAgentsDB, as DiracX makes them; those that are there already stay as they are. The index
-- on PilotStamp is ours: docs/adr/0008 tells how pilots are found where it is missing.
CREATE TABLE IF NOT EXISTS PilotAgents (
    PilotID INTEGER PRIMARY KEY AUTOINCREMENT,
    InitialJobID INTEGER NOT NULL DEFAULT 0,
    CurrentJobID INTEGER NOT NULL DEFAULT 0,
    PilotJobReference VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    PilotStamp VARCHAR(32) NOT NULL DEFAULT '',
    DestinationSite VARCHAR(128) NOT NULL DEFAULT 'NotAssigned',
    Queue VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    GridSite VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    VO VARCHAR(128) NOT NULL,
    GridType VARCHAR(32) NOT NULL DEFAULT 'LCG',
    BenchMark FLOAT NOT NULL DEFAULT 0.0,
    SubmissionTime DATETIME NULL,
    LastUpdateTime DATETIME NULL,
    Status VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    StatusReason VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    AccountingSent VARCHAR(5) NOT NULL DEFAULT 'False'
);
CREATE INDEX IF NOT EXISTS PilotJobReference ON PilotAgents (PilotJobReference);
CREATE INDEX IF NOT EXISTS PilotStatus ON PilotAgents (Status);
CREATE INDEX IF NOT EXISTS Statuskey ON PilotAgents (GridSite, DestinationSite, Status);
CREATE INDEX IF NOT EXISTS idx_dest_queue_status ON PilotAgents (DestinationSite, Queue, Status);
CREATE INDEX IF NOT EXISTS PilotStamp ON PilotAgents (PilotStamp);

CREATE TABLE IF NOT EXISTS JobToPilotMapping (
    PilotID INTEGER NOT NULL,
    JobID INTEGER NOT NULL,
    StartTime DATETIME NOT NULL,
    PRIMARY KEY (PilotID, JobID)
);
CREATE INDEX IF NOT EXISTS PilotsOfJob ON JobToPilotMapping (JobID);

CREATE TABLE IF NOT EXISTS PilotOutput (
    PilotID INTEGER PRIMARY KEY,
    StdOutput TEXT NOT NULL,
    StdError TEXT NOT NULL
);
