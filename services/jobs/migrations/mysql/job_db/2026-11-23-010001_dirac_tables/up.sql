-- The tables of DIRAC's JobDB, as DiracX makes them; those that are there already stay as they are.
CREATE TABLE IF NOT EXISTS JobJDLs (
    JobID INT NOT NULL AUTO_INCREMENT,
    JDL MEDIUMTEXT NOT NULL,
    JobRequirements TEXT NOT NULL,
    OriginalJDL MEDIUMTEXT NOT NULL,
    PRIMARY KEY (JobID)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Jobs (
    JobID INT NOT NULL,
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
    UserPriority INT NOT NULL DEFAULT 0,
    RescheduleCounter INT NOT NULL DEFAULT 0,
    VerifiedFlag ENUM('True', 'False') NOT NULL DEFAULT 'False',
    AccountedFlag ENUM('True', 'False', 'Failed') NOT NULL DEFAULT 'False',
    PRIMARY KEY (JobID),
    KEY JobType (JobType),
    KEY JobGroup (JobGroup),
    KEY Site (Site),
    KEY Owner (Owner),
    KEY OwnerGroup (OwnerGroup),
    KEY Status (Status),
    KEY MinorStatus (MinorStatus),
    KEY ApplicationStatus (ApplicationStatus),
    KEY StatusSite (Status, Site),
    KEY LastUpdateTime (LastUpdateTime),
    CONSTRAINT jobs_jdl FOREIGN KEY (JobID) REFERENCES JobJDLs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS InputData (
    JobID INT NOT NULL,
    LFN VARCHAR(255) NOT NULL DEFAULT '',
    Status VARCHAR(32) NOT NULL DEFAULT 'AprioriGood',
    PRIMARY KEY (JobID, LFN),
    CONSTRAINT input_data_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS JobParameters (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    CONSTRAINT job_parameters_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS OptimizerParameters (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    CONSTRAINT optimizer_parameters_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS AtticJobParameters (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    RescheduleCycle INT NOT NULL,
    PRIMARY KEY (JobID, Name, RescheduleCycle),
    CONSTRAINT attic_job_parameters_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS HeartBeatLoggingInfo (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    HeartBeatTime DATETIME NOT NULL,
    PRIMARY KEY (JobID, Name, HeartBeatTime),
    CONSTRAINT heart_beat_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS JobCommands (
    JobID INT NOT NULL,
    Command VARCHAR(100) NOT NULL,
    Arguments VARCHAR(100) NOT NULL,
    Status VARCHAR(64) NOT NULL DEFAULT 'Received',
    ReceptionTime DATETIME NOT NULL,
    ExecutionTime DATETIME NULL,
    PRIMARY KEY (JobID, ReceptionTime),
    CONSTRAINT job_commands_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
