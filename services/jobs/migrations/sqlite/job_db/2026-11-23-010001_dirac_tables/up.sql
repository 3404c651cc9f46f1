-- The tables of DIRAC's JobDB, as DiracX makes them; those that are there already stay as they are.
CREATE TABLE IF NOT EXISTS JobJDLs (
    JobID INTEGER PRIMARY KEY AUTOINCREMENT,
    JDL TEXT NOT NULL,
    JobRequirements TEXT NOT NULL,
    OriginalJDL TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS Jobs (
    JobID INTEGER NOT NULL,
    JobType VARCHAR(32) NOT NULL DEFAULT 'user',
    JobGroup VARCHAR(32) NOT NULL DEFAULT '00000000',
    Site VARCHAR(100) NOT NULL DEFAULT 'ANY',
    JobName VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    Owner VARCHAR(64) NOT NULL DEFAULT 'Unknown',
    OwnerGroup VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    VO VARCHAR(32) NOT NULL,
    SubmissionTime DATETIME NULL,
    RescheduleTime DATETIME NULL,
    LastUpdateTime DATETIME NULL,
    StartExecTime DATETIME NULL,
    HeartBeatTime DATETIME NULL,
    EndExecTime DATETIME NULL,
    Status VARCHAR(32) NOT NULL DEFAULT 'Received',
    MinorStatus VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    ApplicationStatus VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    UserPriority INTEGER NOT NULL DEFAULT 0,
    RescheduleCounter INTEGER NOT NULL DEFAULT 0,
    VerifiedFlag TEXT NOT NULL DEFAULT 'False',
    AccountedFlag TEXT NOT NULL DEFAULT 'False',
    PRIMARY KEY (JobID),
    CONSTRAINT jobs_jdl FOREIGN KEY (JobID) REFERENCES JobJDLs (JobID) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS JobType ON Jobs (JobType);
CREATE INDEX IF NOT EXISTS JobGroup ON Jobs (JobGroup);
CREATE INDEX IF NOT EXISTS Site ON Jobs (Site);
CREATE INDEX IF NOT EXISTS Owner ON Jobs (Owner);
CREATE INDEX IF NOT EXISTS OwnerGroup ON Jobs (OwnerGroup);
CREATE INDEX IF NOT EXISTS Status ON Jobs (Status);
CREATE INDEX IF NOT EXISTS MinorStatus ON Jobs (MinorStatus);
CREATE INDEX IF NOT EXISTS ApplicationStatus ON Jobs (ApplicationStatus);
CREATE INDEX IF NOT EXISTS StatusSite ON Jobs (Status, Site);
CREATE INDEX IF NOT EXISTS LastUpdateTime ON Jobs (LastUpdateTime);

CREATE TABLE IF NOT EXISTS InputData (
    JobID INTEGER NOT NULL,
    LFN VARCHAR(255) NOT NULL DEFAULT '',
    Status VARCHAR(32) NOT NULL DEFAULT 'AprioriGood',
    PRIMARY KEY (JobID, LFN),
    CONSTRAINT input_data_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS JobParameters (
    JobID INTEGER NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    CONSTRAINT job_parameters_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS OptimizerParameters (
    JobID INTEGER NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    CONSTRAINT optimizer_parameters_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS AtticJobParameters (
    JobID INTEGER NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    RescheduleCycle INTEGER NOT NULL,
    PRIMARY KEY (JobID, Name, RescheduleCycle),
    CONSTRAINT attic_job_parameters_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS HeartBeatLoggingInfo (
    JobID INTEGER NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    HeartBeatTime DATETIME NOT NULL,
    PRIMARY KEY (JobID, Name, HeartBeatTime),
    CONSTRAINT heart_beat_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS JobCommands (
    JobID INTEGER NOT NULL,
    Command VARCHAR(100) NOT NULL,
    Arguments VARCHAR(100) NOT NULL,
    Status VARCHAR(64) NOT NULL DEFAULT 'Received',
    ReceptionTime DATETIME NOT NULL,
    ExecutionTime DATETIME NULL,
    PRIMARY KEY (JobID, ReceptionTime),
    CONSTRAINT job_commands_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
);
