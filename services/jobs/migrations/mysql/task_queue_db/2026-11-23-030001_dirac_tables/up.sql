-- The tables of DIRAC's TaskQueueDB, as DiracX makes them; those that are there already stay as they are.
CREATE TABLE IF NOT EXISTS tq_TaskQueues (
    TQId INT NOT NULL AUTO_INCREMENT,
    Owner VARCHAR(255) NOT NULL,
    OwnerGroup VARCHAR(32) NOT NULL,
    VO VARCHAR(32) NOT NULL,
    CPUTime BIGINT NOT NULL,
    Priority DOUBLE NOT NULL,
    Enabled TINYINT(1) NOT NULL DEFAULT 0,
    PRIMARY KEY (TQId),
    KEY TQOwner (Owner, OwnerGroup, CPUTime)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tq_Jobs (
    TQId INT NOT NULL,
    JobId INT NOT NULL,
    Priority INT NOT NULL,
    RealPriority DOUBLE NOT NULL,
    PRIMARY KEY (TQId, JobId),
    KEY TaskIndex (TQId),
    KEY JobIndex (JobId),
    CONSTRAINT tq_jobs_queue FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tq_TQToSites (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY SitesTaskIndex (TQId),
    KEY SitesIndex (Value),
    CONSTRAINT tq_to_sites FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tq_TQToGridCEs (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY GridCEsTaskIndex (TQId),
    KEY GridCEsValueIndex (Value),
    CONSTRAINT tq_to_grid_ces FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tq_TQToBannedSites (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY BannedSitesTaskIndex (TQId),
    KEY BannedSitesValueIndex (Value),
    CONSTRAINT tq_to_banned_sites FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tq_TQToPlatforms (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY PlatformsTaskIndex (TQId),
    KEY PlatformsValueIndex (Value),
    CONSTRAINT tq_to_platforms FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tq_TQToJobTypes (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY JobTypesTaskIndex (TQId),
    KEY JobTypesValueIndex (Value),
    CONSTRAINT tq_to_job_types FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tq_TQToTags (
    TQId INT NOT NULL,
    Value VARCHAR(64) NOT NULL,
    PRIMARY KEY (TQId, Value),
    KEY TagsTaskIndex (TQId),
    KEY TagsValueIndex (Value),
    CONSTRAINT tq_to_tags FOREIGN KEY (TQId) REFERENCES tq_TaskQueues (TQId) ON DELETE CASCADE
) ENGINE = InnoDB;
