-- Databases as DiracX makes them, with jobs in them: no defaults of columns, keys and cascades of its own.
-- Lines starting with "-- db:" say which database the statements belong to.
-- db: JobDB
CREATE TABLE JobJDLs (
    JobID INT NOT NULL AUTO_INCREMENT,
    JDL TEXT NOT NULL,
    JobRequirements TEXT NOT NULL,
    OriginalJDL TEXT NOT NULL,
    PRIMARY KEY (JobID)
) ENGINE = InnoDB;
CREATE TABLE Jobs (
    JobID INT NOT NULL,
    JobType VARCHAR(32) NOT NULL,
    JobGroup VARCHAR(32) NOT NULL,
    Site VARCHAR(100) NOT NULL,
    JobName VARCHAR(128) NOT NULL,
    Owner VARCHAR(64) NOT NULL,
    OwnerGroup VARCHAR(128) NOT NULL,
    VO VARCHAR(32) NOT NULL,
    SubmissionTime DATETIME NULL,
    RescheduleTime DATETIME NULL,
    LastUpdateTime DATETIME NULL,
    StartExecTime DATETIME NULL,
    HeartBeatTime DATETIME NULL,
    EndExecTime DATETIME NULL,
    Status VARCHAR(32) NOT NULL,
    MinorStatus VARCHAR(128) NOT NULL,
    ApplicationStatus VARCHAR(255) NOT NULL,
    UserPriority INT NOT NULL,
    RescheduleCounter INT NOT NULL,
    VerifiedFlag ENUM('True', 'False') NOT NULL,
    AccountedFlag ENUM('True', 'False', 'Failed') NOT NULL,
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
    FOREIGN KEY (JobID) REFERENCES JobJDLs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE InputData (
    JobID INT NOT NULL,
    LFN VARCHAR(255) NOT NULL,
    Status VARCHAR(32) NOT NULL,
    PRIMARY KEY (JobID, LFN),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE JobParameters (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE OptimizerParameters (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    PRIMARY KEY (JobID, Name),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE AtticJobParameters (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    RescheduleCycle INT NOT NULL,
    PRIMARY KEY (JobID, Name),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE HeartBeatLoggingInfo (
    JobID INT NOT NULL,
    Name VARCHAR(100) NOT NULL,
    Value TEXT NOT NULL,
    HeartBeatTime DATETIME NOT NULL,
    PRIMARY KEY (JobID, Name, HeartBeatTime),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE JobCommands (
    JobID INT NOT NULL,
    Command VARCHAR(100) NOT NULL,
    Arguments VARCHAR(100) NOT NULL,
    Status VARCHAR(64) NOT NULL,
    ReceptionTime DATETIME NOT NULL,
    ExecutionTime DATETIME NULL,
    PRIMARY KEY (JobID, ReceptionTime),
    FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
) ENGINE = InnoDB;
INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES (101, '[ Executable = "/bin/echo"; Arguments = "from before"; ]', '', '[ Executable = "/bin/echo"; Arguments = "from before"; ]');
INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime, Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag) VALUES (101, 'User', 'old', 'LCG.One.ch', 'before', 'alice', 'alpha_user', 'alpha', '2024-02-28 11:00:00', '2024-02-29 12:00:00', 'Running', 'Application', 'Unknown', 1, 0, 'True', 'Failed');
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
INSERT INTO InputData (JobID, LFN, Status) VALUES (103, 'LFN:/alpha/user/a/alice/data', 'AprioriGood');
INSERT INTO JobParameters (JobID, Name, Value) VALUES (103, 'CPU(MHz)', '2400'), (104, 'Pilot_Reference', 'ssh://one/1');
INSERT INTO OptimizerParameters (JobID, Name, Value) VALUES (103, 'JobPath', 'JobPath,InputData');
INSERT INTO AtticJobParameters (JobID, Name, Value, RescheduleCycle) VALUES (103, 'CPU(MHz)', '2300', 1);
INSERT INTO HeartBeatLoggingInfo (JobID, Name, Value, HeartBeatTime) VALUES (104, 'LoadAverage', '1.5', '2024-02-28 11:30:00');
INSERT INTO JobCommands (JobID, Command, Arguments, Status, ReceptionTime) VALUES (104, 'Peek', 'std.out', 'Received', '2024-02-28 11:31:00'), (104, 'Kill', '', 'Sent', '2024-02-28 11:29:00');
-- db: JobLoggingDB
CREATE TABLE LoggingInfo (
    JobID INT NOT NULL,
    SeqNum INT NOT NULL,
    Status VARCHAR(32) NOT NULL,
    MinorStatus VARCHAR(128) NOT NULL,
    ApplicationStatus VARCHAR(255) NOT NULL,
    StatusTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    StatusTimeOrder NUMERIC(12,3) NOT NULL,
    StatusSource VARCHAR(32) NOT NULL,
    PRIMARY KEY (JobID, SeqNum)
) ENGINE = InnoDB;
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (101, 1, 'Received', 'Job accepted', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobManager');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (101, 2, 'Running', 'Application', 'idem', '2024-02-28 11:10:00', 439118600.5, 'JobWrapper');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (102, 1, 'Received', 'Job accepted', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobManager');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (102, 2, 'Scouting', 'idem', 'idem', '2024-02-28 11:05:00', 439118300, 'JobScouting');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (103, 1, 'Received', 'Job accepted', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobManager');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (103, 2, 'Waiting', 'Pilot Agent Submission', 'idem', '2024-02-28 11:00:01', 439118001.25, 'TaskQueue');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (104, 1, 'Running', 'Application', 'Unknown', '2024-02-28 11:00:00', 439118000, 'JobWrapper');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (105, 1, 'idem', 'idem', 'idem', '2024-02-28 11:00:00', 439118000, 'JobWrapper');
INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource) VALUES (105, 2, 'Done', 'Execution Complete', 'idem', '2024-02-28 12:00:00', 439121600, 'JobWrapper');
-- db: TaskQueueDB
CREATE TABLE tq_TaskQueues (
    TQId INT NOT NULL AUTO_INCREMENT,
    Owner VARCHAR(255) NOT NULL,
    OwnerGroup VARCHAR(32) NOT NULL,
    VO VARCHAR(32) NOT NULL,
    CPUTime BIGINT NOT NULL,
    Priority DOUBLE NOT NULL,
    Enabled TINYINT(1) NOT NULL,
    PRIMARY KEY (TQId),
    KEY TQOwner (Owner, OwnerGroup, CPUTime)
) ENGINE = InnoDB;
CREATE TABLE tq_Jobs (
    TQId INT NOT NULL,
    JobId INT NOT NULL,
    Priority INT NOT NULL,
    RealPriority DOUBLE NOT NULL,
    PRIMARY KEY (TQId, JobId),
    KEY TaskIndex (TQId),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE tq_TQToSites (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY SitesTaskIndex (TQId),
    KEY SitesIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE tq_TQToGridCEs (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY GridCEsTaskIndex (TQId),
    KEY GridCEsValueIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE tq_TQToBannedSites (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY BannedSitesTaskIndex (TQId),
    KEY BannedSitesValueIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE tq_TQToPlatforms (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY PlatformsTaskIndex (TQId),
    KEY PlatformsValueIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE tq_TQToJobTypes (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY JobTypesTaskIndex (TQId),
    KEY JobTypesValueIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
CREATE TABLE tq_TQToTags (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TagsTaskIndex (TQId),
    KEY TagsValueIndex (Value),
    FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
INSERT INTO tq_TaskQueues (TQId, Owner, OwnerGroup, VO, CPUTime, Priority, Enabled) VALUES (11, 'alice', 'alpha_user', 'alpha', 86400, 500.1, 2), (12, 'bob', 'alpha_user', 'alpha', 86400, 0.1, -1);
INSERT INTO tq_Jobs (TQId, JobId, Priority, RealPriority) VALUES (11, 103, 1, 1.0);
INSERT INTO tq_TQToSites (TQId, Value) VALUES (11, 'LCG.One.ch'); INSERT INTO tq_TQToJobTypes (TQId, Value) VALUES (11, 'User');
-- db: SandboxMetadataDB
CREATE TABLE sb_Owners (
    OwnerID INT NOT NULL AUTO_INCREMENT,
    Owner VARCHAR(32) NOT NULL,
    OwnerGroup VARCHAR(32) NOT NULL,
    VO VARCHAR(64) NOT NULL,
    PRIMARY KEY (OwnerID),
    UNIQUE KEY unique_owner_group_vo (Owner, OwnerGroup, VO)
) ENGINE = InnoDB;
CREATE TABLE sb_SandBoxes (
    SBId INT NOT NULL AUTO_INCREMENT,
    OwnerId INT NOT NULL,
    SEName VARCHAR(64) NOT NULL,
    SEPFN VARCHAR(512) NOT NULL,
    Bytes BIGINT NOT NULL,
    RegistrationTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    LastAccessTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    Assigned TINYINT(1) NOT NULL,
    PRIMARY KEY (SBId),
    KEY OwnerId (OwnerId),
    UNIQUE KEY Location (SEName, SEPFN)
) ENGINE = InnoDB;
CREATE TABLE sb_EntityMapping (
    SBId INT NOT NULL,
    EntityId VARCHAR(128) NOT NULL,
    Type VARCHAR(64) NOT NULL,
    PRIMARY KEY (SBId, EntityId, Type),
    UNIQUE KEY Mapping (SBId, EntityId, Type),
    KEY SBId (EntityId)
) ENGINE = InnoDB;
INSERT INTO sb_Owners (OwnerID, Owner, OwnerGroup, VO) VALUES (21, 'alice', 'alpha_user', 'alpha');
INSERT INTO sb_SandBoxes (SBId, OwnerId, SEName, SEPFN, Bytes, RegistrationTime, LastAccessTime, Assigned) VALUES (31, 21, 'SandboxSE', '/S3/sandboxes/alpha/alpha_user/alice/sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.tar.zst', 1000, '2024-02-28 11:00:00', '2024-02-28 11:00:00', 1), (32, 21, 'ProductionSandboxSE', '/SandBox/a/alice.alpha_user/abc/def.tar.bz2', 2000, '2024-02-28 11:00:00', '2024-02-28 11:00:00', 1);
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
);

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
);

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
);

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
);

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
);

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
);

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

-- db: AuthDB
-- The codes are the SHA-256 of `a device code` and `an authorization code`; the flows were begun just now.
CREATE TABLE DeviceFlows (
    UserCode VARCHAR(8) NOT NULL,
    Status VARCHAR(16) NOT NULL DEFAULT 'PENDING',
    CreationTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    ClientID VARCHAR(255) NOT NULL,
    Scope VARCHAR(1024) NOT NULL,
    DeviceCode VARCHAR(128) NOT NULL,
    IDToken JSON,
    PRIMARY KEY (UserCode),
    UNIQUE (DeviceCode)
);

CREATE TABLE AuthorizationFlows (
    UUID CHAR(32) NOT NULL,
    Status VARCHAR(16) NOT NULL DEFAULT 'PENDING',
    ClientID VARCHAR(255) NOT NULL,
    CreationTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    Scope VARCHAR(1024) NOT NULL,
    CodeChallenge VARCHAR(255) NOT NULL,
    CodeChallengeMethod VARCHAR(8) NOT NULL,
    RedirectURI VARCHAR(255) NOT NULL,
    Code VARCHAR(255),
    IDToken JSON,
    PRIMARY KEY (UUID)
);

CREATE TABLE RefreshTokens (
    JTI CHAR(32) NOT NULL,
    Status VARCHAR(16) NOT NULL DEFAULT 'CREATED',
    Scope VARCHAR(1024) NOT NULL,
    Sub VARCHAR(256) NOT NULL,
    PRIMARY KEY (JTI)
);
CREATE INDEX index_status_sub ON RefreshTokens (Status, Sub);
CREATE INDEX ix_RefreshTokens_Sub ON RefreshTokens (Sub);
ALTER TABLE RefreshTokens PARTITION BY RANGE COLUMNS (JTI) (
    PARTITION p_2025_12 VALUES LESS THAN ('019b76da880070008000000000000000'),
    PARTITION p_2026_1 VALUES LESS THAN ('019c167fcc0070008000000000000000'),
    PARTITION p_2026_2 VALUES LESS THAN ('019ca6b1dc0070008000000000000000'),
    PARTITION p_future VALUES LESS THAN (MAXVALUE)
);

INSERT INTO DeviceFlows (UserCode, Status, ClientID, Scope, DeviceCode, IDToken) VALUES
    ('BCDFGHJK', 'READY', 'myDIRACClientID', 'vo:alpha', 'c38e3166b21acb9f9eedc44b639c6f7f21ff7b01770fde3308fbe2055238a4cf', '{"sub": "11111111-aaaa-4aaa-8aaa-000000000001", "iss": "https://idp.invalid", "aud": ["alpha-client"], "exp": 1769947200, "iat": 1769943600, "groups": {"a": [1, 2.5, null]}}'),
    ('LMNPQRST', 'PENDING', 'myDIRACClientID', 'vo:alpha group:alpha_user', 'a device that waits', NULL),
    ('VWXZBCDF', 'DONE', 'myDIRACClientID', 'vo:alpha', 'a device that has its tokens', '{"sub": "somebody"}');
INSERT INTO AuthorizationFlows (UUID, Status, ClientID, Scope, CodeChallenge, CodeChallengeMethod, RedirectURI, Code, IDToken) VALUES
    ('019c167fcc0070008000000000000001', 'READY', 'myDIRACClientID', 'vo:alpha', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', 'S256', 'http://diracx.test.invalid:8000/api/docs/oauth2-redirect', '1af4c7e1b23abc3ea38d64bd9462ff6dc577371de4638d43e1d307d0d0d84728', '{"sub": "11111111-aaaa-4aaa-8aaa-000000000001"}'),
    ('019c167fcc0070008000000000000002', 'PENDING', 'myDIRACClientID', 'vo:alpha', 'challenge', 'S256', 'http://diracx.test.invalid:8000/api/docs/oauth2-redirect', NULL, NULL);
INSERT INTO RefreshTokens VALUES
    ('019b76da880070008000000000000001', 'REVOKED', 'vo:alpha', 'alpha:11111111-aaaa-4aaa-8aaa-000000000002'),
    ('019c167fcc0070008000000000000001', 'CREATED', 'vo:alpha', 'alpha:11111111-aaaa-4aaa-8aaa-000000000001'),
    ('019ca6b1dc0070008000000000000001', 'CREATED', 'vo:alpha property:NormalUser', 'alpha:11111111-aaaa-4aaa-8aaa-000000000002');

-- db: PilotAgentsDB
CREATE TABLE PilotAgents (
    PilotID INTEGER NOT NULL AUTO_INCREMENT,
    InitialJobID INTEGER NOT NULL,
    CurrentJobID INTEGER NOT NULL,
    PilotJobReference VARCHAR(255) NOT NULL,
    PilotStamp VARCHAR(32) NOT NULL,
    DestinationSite VARCHAR(128) NOT NULL,
    Queue VARCHAR(128) NOT NULL,
    GridSite VARCHAR(128) NOT NULL,
    VO VARCHAR(128) NOT NULL,
    GridType VARCHAR(32) NOT NULL,
    BenchMark DOUBLE NOT NULL,
    SubmissionTime DATETIME,
    LastUpdateTime DATETIME,
    Status VARCHAR(32) NOT NULL,
    StatusReason VARCHAR(255) NOT NULL,
    AccountingSent ENUM('True','False') NOT NULL,
    PRIMARY KEY (PilotID)
);
CREATE INDEX PilotJobReference ON PilotAgents (PilotJobReference);
CREATE INDEX Statuskey ON PilotAgents (GridSite, DestinationSite, Status);
CREATE INDEX Status ON PilotAgents (Status);
CREATE INDEX idx_dest_queue_status ON PilotAgents (DestinationSite, Queue, Status);
CREATE TABLE JobToPilotMapping (
    PilotID INTEGER NOT NULL,
    JobID INTEGER NOT NULL,
    StartTime DATETIME NOT NULL,
    PRIMARY KEY (PilotID, JobID)
);
CREATE INDEX JobID ON JobToPilotMapping (JobID);
CREATE INDEX PilotID ON JobToPilotMapping (PilotID);
CREATE TABLE PilotOutput (
    PilotID INTEGER NOT NULL AUTO_INCREMENT,
    StdOutput TEXT NOT NULL,
    StdError TEXT NOT NULL,
    PRIMARY KEY (PilotID)
);
INSERT INTO PilotAgents (PilotID, InitialJobID, CurrentJobID, PilotJobReference, PilotStamp, DestinationSite, Queue,
    GridSite, VO, GridType, BenchMark, SubmissionTime, LastUpdateTime, Status, StatusReason, AccountingSent) VALUES
(11, 0, 101, 'htc://ce/1', 'one', 'ce', 'long', 'LCG.CERN.ch', 'alpha', 'DIRAC', 1.5, '2026-11-01', '2026-11-02', 'Running', 'arrêté', 'False'),
(12, 0, 0, 'htc://ce/2', 'twice', 'ce', 'long', 'LCG.CERN.ch', 'alpha', 'DIRAC', 0, '2026-11-01', '2026-11-02', 'Done', 'r', 'True'),
(13, 0, 0, 'htc://ce/3', 'twice', 'ce', 'long', 'LCG.CERN.ch', 'alpha', 'DIRAC', 0, '2026-11-01', '2026-11-02', 'Running', 'r', 'False'),
(14, 0, 0, 'htc://ce/4', 'ONE', 'ce', 'long', 'LCG.CERN.ch', 'beta', 'DIRAC', 0, NULL, NULL, 'Scheduled', 'r', 'False');
INSERT INTO JobToPilotMapping (PilotID, JobID, StartTime) VALUES (11, 101, '2026-11-02'), (13, 102, '2026-11-02');
INSERT INTO PilotOutput (PilotID, StdOutput, StdError) VALUES (12, 'out', 'err');
