-- The tables of DIRAC's SandboxMetadataDB, as DiracX makes them; those that are there already stay as they are.
CREATE TABLE IF NOT EXISTS sb_Owners (
    OwnerID INTEGER PRIMARY KEY AUTOINCREMENT,
    Owner VARCHAR(32) NOT NULL,
    OwnerGroup VARCHAR(32) NOT NULL,
    VO VARCHAR(64) NOT NULL,
    CONSTRAINT unique_owner_group_vo UNIQUE (Owner, OwnerGroup, VO)
);

CREATE TABLE IF NOT EXISTS sb_SandBoxes (
    SBId INTEGER PRIMARY KEY AUTOINCREMENT,
    OwnerId INTEGER NOT NULL,
    SEName VARCHAR(64) NOT NULL,
    SEPFN VARCHAR(512) NOT NULL,
    Bytes BIGINT NOT NULL,
    RegistrationTime DATETIME NOT NULL DEFAULT (DATETIME('now')),
    LastAccessTime DATETIME NOT NULL DEFAULT (DATETIME('now')),
    Assigned BOOLEAN NOT NULL DEFAULT 0,
    CONSTRAINT Location UNIQUE (SEName, SEPFN)
);
CREATE INDEX IF NOT EXISTS OwnerId ON sb_SandBoxes (OwnerId);

CREATE TABLE IF NOT EXISTS sb_EntityMapping (
    SBId INTEGER NOT NULL,
    EntityId VARCHAR(128) NOT NULL,
    Type VARCHAR(64) NOT NULL,
    PRIMARY KEY (SBId, EntityId, Type)
);
CREATE INDEX IF NOT EXISTS SBId ON sb_EntityMapping (EntityId);
