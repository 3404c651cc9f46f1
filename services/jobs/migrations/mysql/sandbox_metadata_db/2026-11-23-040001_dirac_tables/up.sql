-- The tables of DIRAC's SandboxMetadataDB, as DiracX makes them; those that are there already stay as they are.
CREATE TABLE IF NOT EXISTS sb_Owners (
    OwnerID INT NOT NULL AUTO_INCREMENT,
    Owner VARCHAR(32) NOT NULL,
    OwnerGroup VARCHAR(32) NOT NULL,
    VO VARCHAR(64) NOT NULL,
    PRIMARY KEY (OwnerID),
    UNIQUE KEY unique_owner_group_vo (Owner, OwnerGroup, VO)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS sb_SandBoxes (
    SBId INT NOT NULL AUTO_INCREMENT,
    OwnerId INT NOT NULL,
    SEName VARCHAR(64) NOT NULL,
    SEPFN VARCHAR(512) NOT NULL,
    Bytes BIGINT NOT NULL,
    RegistrationTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    LastAccessTime DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP),
    Assigned TINYINT(1) NOT NULL DEFAULT 0,
    PRIMARY KEY (SBId),
    KEY OwnerId (OwnerId),
    UNIQUE KEY Location (SEName, SEPFN)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS sb_EntityMapping (
    SBId INT NOT NULL,
    EntityId VARCHAR(128) NOT NULL,
    Type VARCHAR(64) NOT NULL,
    PRIMARY KEY (SBId, EntityId, Type),
    UNIQUE KEY Mapping (SBId, EntityId, Type),
    KEY SBId (EntityId)
) ENGINE = InnoDB;
