-- Databases as DIRAC makes them, with jobs in them: numbers without sign, latin1, no cascades, a trigger that numbers records.
-- Lines starting with "-- db:" say which database the statements belong to.
-- db: JobDB
CREATE TABLE JobJDLs (
    JobID INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    JDL MEDIUMTEXT NOT NULL,
    JobRequirements TEXT NOT NULL,
    OriginalJDL MEDIUMTEXT NOT NULL,
    PRIMARY KEY (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE Jobs (
    JobID INT(11) UNSIGNED NOT NULL DEFAULT 0,
    JobType VARCHAR(32) NOT NULL DEFAULT 'user',
    JobGroup VARCHAR(32) NOT NULL DEFAULT '00000000',
    Site VARCHAR(100) NOT NULL DEFAULT 'ANY',
    JobName VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    Owner VARCHAR(64) NOT NULL DEFAULT 'Unknown',
    OwnerGroup VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    VO VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    SubmissionTime DATETIME DEFAULT NULL,
    RescheduleTime DATETIME DEFAULT NULL,
    LastUpdateTime DATETIME DEFAULT NULL,
    StartExecTime DATETIME DEFAULT NULL,
    HeartBeatTime DATETIME DEFAULT NULL,
    EndExecTime DATETIME DEFAULT NULL,
    Status VARCHAR(32) NOT NULL DEFAULT 'Received',
    MinorStatus VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    ApplicationStatus VARCHAR(255) DEFAULT 'Unknown',
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
    FOREIGN KEY (JobID) REFERENCES JobJDLs (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE InputData (
    JobID INT(11) UNSIGNED NOT NULL,
    LFN VARCHAR(255) NOT NULL DEFAULT '',
    Status VARCHAR(32) NOT NULL DEFAULT 'AprioriGood',
    PRIMARY KEY (JobID, LFN),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE JobParameters (
    JobID INT(11) UNSIGNED NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE OptimizerParameters (
    JobID INT(11) UNSIGNED NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value MEDIUMTEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE AtticJobParameters (
    JobID INT(11) UNSIGNED NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    RescheduleCycle INT(11) UNSIGNED NOT NULL,
    PRIMARY KEY (JobID, Name, RescheduleCycle),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE HeartBeatLoggingInfo (
    JobID INT(11) UNSIGNED NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    HeartBeatTime DATETIME NOT NULL,
    PRIMARY KEY (JobID, Name, HeartBeatTime),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE JobCommands (
    JobID INT(11) UNSIGNED NOT NULL,
    Command VARCHAR(100) NOT NULL,
    Arguments VARCHAR(100) NOT NULL,
    Status VARCHAR(64) NOT NULL DEFAULT 'Received',
    ReceptionTime DATETIME NOT NULL,
    ExecutionTime DATETIME NULL,
    PRIMARY KEY (JobID, Arguments, ReceptionTime),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (101, '[ Executable = "/bin/echo"; Arguments = "from before"; ]', '', '[ Executable = "/bin/echo"; Arguments = "from before"; ]');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (101, 'User', 'old', 'LCG.One.ch', 'before', 'alice', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Running', 'Application', NULL, 1, 0, 'True', 'Failed');
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (102, '[ Executable = "/bin/echo"; Arguments = "from before"; ]', '', '[ Executable = "/bin/echo"; Arguments = "from before"; ]');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (102, 'User', 'old', 'LCG.One.ch', 'before', 'alice', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Scouting', 'Scouting', 'Unknown', 1, 0, 'True', 'Failed');
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (103, 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG', '', 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (103, 'User', 'old', 'LCG.One.ch', 'before', 'alice', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Waiting', 'Pilot Agent Submission', 'Unknown', 1, 0, 'True', 'Failed');
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (104, 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG', '', 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (104, 'User', 'old', 'LCG.One.ch', 'before', 'alice', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Running', 'Application', 'Unknown', 1, 0, 'True', 'Failed');
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (105, 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG', '', 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (105, 'User', 'old', 'LCG.One.ch', 'before', 'bob', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Done', 'Execution Complete', 'Unknown', 1, 0, 'False', 'Failed');
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (106, 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG', '', 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (106, 'User', 'old', 'LCG.One.ch', 'before', 'alice', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Limbo', 'Nobody knows', 'Unknown', 1, 0, 'True', 'Failed');
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (107, '[ Executable = "/bin/echo"; Arguments = "from before"; ]', '', '[ Executable = "/bin/echo"; Arguments = "from before"; ]');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (107, 'User', 'old', 'LCG.One.ch', 'before', 'dave', 'beta_user', 'beta', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Failed', 'Application Finished With Errors', 'Segmentation fault', 1, 0, 'True', 'Failed');
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (3000000001, 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG', '', 'eJyLVnCtSE0uLUlMyklVsFVQ0k/KzNNPTc7IV7JWcCxKL81NzSspBkmkFeXnKiSlpuUXpQKlYgEMchJG');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (3000000001, 'User', 'old', 'LCG.One.ch', 'before', 'alice', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Waiting', 'Pilot Agent Submission', 'Unknown', 1, 0, 'True', 'Failed');
INSERT INTO InputData (JobID, LFN, Status) VALUES (103, 'LFN:/alpha/user/a/alice/data', 'AprioriGood');
INSERT INTO JobParameters (JobID, Name, Value) VALUES (103, 'CPU(MHz)', '2400'), (104, 'Pilot_Reference', 'ssh://one/1');
INSERT INTO OptimizerParameters (JobID, Name, Value) VALUES (103, 'JobPath', 'JobPath,InputData');
INSERT INTO AtticJobParameters (JobID, Name, Value, RescheduleCycle) VALUES (103, 'CPU(MHz)', '2300', 1), (103, 'CPU(MHz)', '2200', 2);
INSERT INTO HeartBeatLoggingInfo (JobID, Name, Value, HeartBeatTime) VALUES (104, 'LoadAverage', '1.5', '2024-02-28 11:30:00');
INSERT INTO JobCommands (JobID, Command, Arguments, Status, ReceptionTime) VALUES (104, 'Peek', 'std.out', 'Received', '2024-02-28 11:31:00'), (104, 'Kill', '', 'Sent', '2024-02-28 11:29:00');
-- db: JobLoggingDB
CREATE TABLE LoggingInfo (
    JobID INT(11) UNSIGNED NOT NULL,
    SeqNum INT(11) UNSIGNED NOT NULL DEFAULT 0,
    Status VARCHAR(32) NOT NULL DEFAULT '',
    MinorStatus VARCHAR(128) NOT NULL DEFAULT '',
    ApplicationStatus VARCHAR(255) NOT NULL DEFAULT '',
    StatusTime DATETIME NOT NULL,
    StatusTimeOrder DOUBLE(12,3) NOT NULL DEFAULT 0,
    StatusSource VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    PRIMARY KEY (JobID, SeqNum)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TRIGGER SeqNumGenerator BEFORE INSERT ON LoggingInfo FOR EACH ROW SET NEW.SeqNum = (SELECT IFNULL(MAX(SeqNum) + 1, 1) FROM LoggingInfo WHERE JobID = NEW.JobID);
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (101, 1, 'Received', 'Job accepted', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobManager');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (101, 2, 'Running', 'Application', 'idem', '2024-02-28 11:10:00', 439118600.5, 'JobWrapper');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (102, 1, 'Received', 'Job accepted', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobManager');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (102, 2, 'Scouting', 'idem', 'idem', '2024-02-28 11:05:00', 439118300, 'JobScouting');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (103, 1, 'Received', 'Job accepted', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobManager');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (103, 2, 'Waiting', 'Pilot Agent Submission', 'idem', '2024-02-28 11:00:01', 439118001.25, 'TaskQueue');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (104, 1, 'Running', 'Application', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobWrapper');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (105, 1, 'idem', 'idem', 'idem', '2024-02-28 11:00:00', 439118000, 'JobWrapper');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (105, 2, 'Done', 'Execution Complete', 'idem', '2024-02-28 12:00:00', 439121600, 'JobWrapper');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (3000000001, 1, 'Waiting', 'Pilot Agent Submission', 'Unknown', '2024-02-28 11:00:00', 439118000, 'TaskQueue');
-- db: TaskQueueDB
CREATE TABLE tq_TaskQueues (
    TQId INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    Owner VARCHAR(255) NOT NULL,
    OwnerGroup VARCHAR(32) NOT NULL,
    VO VARCHAR(32) NOT NULL,
    CPUTime BIGINT(20) UNSIGNED NOT NULL,
    Priority FLOAT NOT NULL,
    Enabled TINYINT(1) NOT NULL DEFAULT 0,
    PRIMARY KEY (TQId),
    KEY TQOwner (Owner, OwnerGroup, CPUTime)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE tq_Jobs (
    TQId INT(11) UNSIGNED NOT NULL,
    JobId INT(11) UNSIGNED NOT NULL,
    Priority INT UNSIGNED NOT NULL,
    RealPriority FLOAT NOT NULL,
    PRIMARY KEY (JobId),
    KEY TaskIndex (TQId),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE tq_TQToSites (
    TQId INT(11) UNSIGNED NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TaskIndex (TQId),
    KEY SitesIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE tq_TQToGridCEs (
    TQId INT(11) UNSIGNED NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TaskIndex (TQId),
    KEY GridCEsIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE tq_TQToBannedSites (
    TQId INT(11) UNSIGNED NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TaskIndex (TQId),
    KEY BannedSitesIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE tq_TQToPlatforms (
    TQId INT(11) UNSIGNED NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TaskIndex (TQId),
    KEY PlatformsIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE tq_TQToJobTypes (
    TQId INT(11) UNSIGNED NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TaskIndex (TQId),
    KEY JobTypesIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE tq_TQToTags (
    TQId INT(11) UNSIGNED NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TaskIndex (TQId),
    KEY TagsIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
INSERT INTO tq_TaskQueues (TQId, Owner, OwnerGroup, VO, CPUTime, Priority, Enabled) VALUES (11, 'alice', 'alpha_user', 'alpha', 86400, 500.1, 2), (12, 'bob', 'alpha_user', 'alpha', 86400, 0.1, -1);
INSERT INTO tq_Jobs (TQId, JobId, Priority, RealPriority) VALUES (11, 103, 1, 1.0);
INSERT INTO tq_TQToSites (TQId, Value) VALUES (11, 'LCG.One.ch'); INSERT INTO tq_TQToJobTypes (TQId, Value) VALUES (11, 'User');
-- db: SandboxMetadataDB
CREATE TABLE sb_Owners (
    OwnerId INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    Owner VARCHAR(32) NOT NULL,
    OwnerGroup VARCHAR(32) NOT NULL,
    VO VARCHAR(64) NOT NULL,
    PRIMARY KEY (OwnerId)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE sb_SandBoxes (
    SBId INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    OwnerId INT(11) UNSIGNED NOT NULL,
    SEName VARCHAR(64) NOT NULL,
    SEPFN VARCHAR(512) NOT NULL,
    Bytes BIGINT NOT NULL DEFAULT 0,
    RegistrationTime DATETIME NOT NULL,
    LastAccessTime DATETIME NOT NULL,
    Assigned TINYINT NOT NULL DEFAULT 0,
    PRIMARY KEY (SBId),
    KEY SBOwner (OwnerId),
    UNIQUE KEY Location (SEName, SEPFN)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
CREATE TABLE sb_EntityMapping (
    SBId INT(11) UNSIGNED NOT NULL,
    EntityId VARCHAR(128) NOT NULL,
    Type VARCHAR(64) NOT NULL,
    KEY Entity (EntityId),
    KEY SBIndex (SBId),
    UNIQUE KEY Mapping (SBId, EntityId, Type)
) ENGINE = InnoDB DEFAULT CHARSET = latin1;
INSERT INTO sb_Owners (OwnerId, Owner, OwnerGroup, VO) VALUES (21, 'alice', 'alpha_user', 'alpha'), (22, 'alice', 'alpha_user', 'alpha');
INSERT INTO sb_SandBoxes (SBId, OwnerId, SEName, SEPFN, Bytes, RegistrationTime, LastAccessTime, Assigned) VALUES (31, 21, 'SandboxSE', '/S3/sandboxes/alpha/alpha_user/alice/sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.tar.zst', 1000, '2024-02-28 11:00:00', '2024-02-28 11:00:00', 1), (32, 22, 'ProductionSandboxSE', '/SandBox/a/alice.alpha_user/abc/def.tar.bz2', 2000, '2024-02-28 11:00:00', '2024-02-28 11:00:00', 1);
INSERT INTO sb_EntityMapping (SBId, EntityId, Type) VALUES (31, 'Job:103', 'Input'), (32, 'Job:104', 'Output');

-- db: ResourceStatusDB
CREATE TABLE SiteStatus (
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (Name, StatusType, VO)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE SiteLog (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (ID)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE SiteHistory (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (ID)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE ResourceStatus (
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (Name, StatusType, VO)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE ResourceLog (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (ID)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE ResourceHistory (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (ID)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE NodeStatus (
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (Name, StatusType, VO)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE NodeLog (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (ID)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE NodeHistory (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    Name VARCHAR(64) NOT NULL,
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    VO VARCHAR(64) NOT NULL DEFAULT 'all',
    Status VARCHAR(8) NOT NULL DEFAULT '',
    Reason VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    DateEffective DATETIME NOT NULL,
    TokenExpiration DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    ElementType VARCHAR(32) NOT NULL DEFAULT '',
    LastCheckTime DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    TokenOwner VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY (ID)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

CREATE TABLE ResourceStatusCache (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    SiteName VARCHAR(64) NOT NULL,
    ResourceName VARCHAR(64) NOT NULL,
    Status VARCHAR(8) NOT NULL DEFAULT '',
    PreviousStatus VARCHAR(8) NOT NULL DEFAULT '',
    StatusType VARCHAR(128) NOT NULL DEFAULT 'all',
    Time DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    PRIMARY KEY (ID)
) ENGINE = InnoDB DEFAULT CHARSET = utf8;

INSERT INTO SiteStatus (Name, VO, Status, Reason, DateEffective, ElementType) VALUES
    ('LCG.One.ch', 'all', 'Active', 'ok', '2024-02-28 11:00:00', 'Site'),
    ('LCG.Two.fr', 'all', 'Banned', 'downtime', '2024-02-28 12:00:00', 'Site');
INSERT INTO SiteHistory (Name, Status, Reason, DateEffective, ElementType) VALUES
    ('LCG.Two.fr', 'Active', 'ok', '2024-02-27 12:00:00', 'Site'),
    ('LCG.Two.fr', 'Banned', 'downtime', '2024-02-28 12:00:00', 'Site');
INSERT INTO ResourceStatus (Name, StatusType, VO, Status, Reason, DateEffective, ElementType, TokenOwner) VALUES
    ('SE-ONE', 'ReadAccess', 'all', 'Active', 'ok', '2024-02-28 11:00:00', 'StorageElement', 'rs_svc'),
    ('SE-ONE', 'WriteAccess', 'all', 'Banned', 'full', '2024-02-28 11:00:00', 'StorageElement', 'carol'),
    ('SE-ONE', 'CheckAccess', 'all', 'Active', 'ok', '2024-02-28 11:00:00', 'StorageElement', 'rs_svc'),
    ('SE-ONE', 'RemoveAccess', 'all', 'Active', 'ok', '2024-02-28 11:00:00', 'StorageElement', 'rs_svc'),
    ('cat.one.ch', 'all', 'all', 'Active', 'ok', '2024-02-28 11:00:00', 'Catalog', 'rs_svc');
-- db: PilotAgentsDB
CREATE TABLE PilotAgents (
    PilotID INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    InitialJobID INT(11) UNSIGNED NOT NULL DEFAULT 0,
    CurrentJobID INT(11) UNSIGNED NOT NULL DEFAULT 0,
    PilotJobReference VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    PilotStamp VARCHAR(32) NOT NULL DEFAULT '',
    DestinationSite VARCHAR(128) NOT NULL DEFAULT 'NotAssigned',
    Queue VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    GridSite VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    VO VARCHAR(128),
    GridType VARCHAR(32) NOT NULL DEFAULT 'LCG',
    BenchMark DOUBLE NOT NULL DEFAULT 0.0,
    SubmissionTime DATETIME DEFAULT NULL,
    LastUpdateTime DATETIME DEFAULT NULL,
    Status VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    StatusReason VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    AccountingSent ENUM('True','False') NOT NULL DEFAULT 'False',
    PRIMARY KEY (PilotID),
    INDEX (PilotJobReference),
    INDEX (Status),
    INDEX Statuskey (GridSite, DestinationSite, Status)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
CREATE TABLE JobToPilotMapping (
    PilotID INT(11) UNSIGNED NOT NULL,
    JobID INT(11) UNSIGNED NOT NULL,
    StartTime DATETIME NOT NULL,
    INDEX (JobID),
    INDEX (PilotID)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
CREATE TABLE PilotOutput (
    PilotID INT(11) UNSIGNED NOT NULL,
    StdOutput MEDIUMTEXT,
    StdError MEDIUMTEXT,
    PRIMARY KEY (PilotID)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
INSERT INTO PilotAgents (PilotID, InitialJobID, CurrentJobID, PilotJobReference, PilotStamp, DestinationSite, Queue,
    GridSite, VO, GridType, BenchMark, SubmissionTime, LastUpdateTime, Status, StatusReason, AccountingSent) VALUES
(11, 0, 101, 'htc://ce/1', 'one', 'ce', 'long', 'LCG.CERN.ch', 'alpha', 'DIRAC', 1.5, '2026-11-01', '2026-11-02', 'Running', 'arrêté', 'False'),
(12, 0, 0, 'htc://ce/2', 'twice', 'ce', 'long', 'LCG.CERN.ch', 'alpha', 'DIRAC', 0, '2026-11-01', '2026-11-02', 'Done', 'r', 'True'),
(13, 0, 0, 'htc://ce/3', 'twice', 'ce', 'long', 'LCG.CERN.ch', 'alpha', 'DIRAC', 0, '2026-11-01', '2026-11-02', 'Running', 'r', 'False'),
(14, 0, 0, 'htc://ce/4', 'ONE', 'ce', 'long', 'LCG.CERN.ch', 'beta', 'DIRAC', 0, NULL, NULL, 'Scheduled', 'r', 'False');
INSERT INTO JobToPilotMapping (PilotID, JobID, StartTime) VALUES (11, 101, '2026-11-02'), (13, 102, '2026-11-02');
INSERT INTO PilotOutput (PilotID, StdOutput, StdError) VALUES (12, 'out', 'err');
SET SESSION sql_mode = '';
INSERT INTO PilotAgents (PilotID, PilotStamp, VO, Status, SubmissionTime, LastUpdateTime) VALUES
(21, 'zero', NULL, 'Running', '0000-00-00 00:00:00', '0000-00-00 00:00:00');
INSERT INTO JobToPilotMapping (PilotID, JobID, StartTime) VALUES (21, 103, '0000-00-00 00:00:00');
