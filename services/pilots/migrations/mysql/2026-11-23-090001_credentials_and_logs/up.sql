-- What pilots get their first token for. Only a keyed hash of a secret is kept.
CREATE TABLE IF NOT EXISTS PilotSecrets (
    SecretID CHAR(32) CHARACTER SET ascii NOT NULL,
    HashedSecret CHAR(64) CHARACTER SET ascii NOT NULL,
    VO VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    RemainingUses BIGINT NULL,
    ExpirationTime DATETIME(6) NOT NULL,
    RevocationTime DATETIME(6) NULL,
    Constraints MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    CreatedBy VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (SecretID),
    UNIQUE KEY PilotSecretHash (HashedSecret),
    KEY PilotSecretExpiration (ExpirationTime)
) ENGINE = InnoDB;

-- To whom secrets are bound, for taking them away by pilot or by site.
CREATE TABLE IF NOT EXISTS PilotSecretBindings (
    Kind CHAR(5) CHARACTER SET ascii NOT NULL,
    Bound VARBINARY(512) NOT NULL,
    SecretID CHAR(32) CHARACTER SET ascii NOT NULL,
    PRIMARY KEY (Kind, Bound, SecretID),
    KEY PilotSecretBindingSecret (SecretID)
) ENGINE = InnoDB;

-- What pilots go on with. A token that was used stays until it expires, so that a second use is seen.
CREATE TABLE IF NOT EXISTS PilotRefreshTokens (
    HashedToken CHAR(64) CHARACTER SET ascii NOT NULL,
    SecretID CHAR(32) CHARACTER SET ascii NOT NULL,
    PilotStamp VARBINARY(128) NOT NULL,
    VO VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    GridSite VARBINARY(512) NOT NULL,
    ExpirationTime DATETIME(6) NOT NULL,
    State CHAR(7) CHARACTER SET ascii NOT NULL,
    PRIMARY KEY (HashedToken),
    KEY PilotRefreshTokenStamp (PilotStamp),
    KEY PilotRefreshTokenSecret (SecretID),
    KEY PilotRefreshTokenSite (GridSite),
    KEY PilotRefreshTokenExpiration (ExpirationTime)
) ENGINE = InnoDB;

-- Pilots that get nothing for a secret made before.
CREATE TABLE IF NOT EXISTS PilotBars (
    PilotStamp VARBINARY(128) NOT NULL,
    BarredTime DATETIME(6) NOT NULL,
    PRIMARY KEY (PilotStamp),
    KEY PilotBarTime (BarredTime)
) ENGINE = InnoDB;

-- How far the log of a pilot is.
CREATE TABLE IF NOT EXISTS PilotLogs (
    PilotID BIGINT NOT NULL,
    NextLine BIGINT NOT NULL,
    SizeBytes BIGINT NOT NULL,
    PRIMARY KEY (PilotID)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS PilotLogLines (
    PilotID BIGINT NOT NULL,
    LineNumber BIGINT NOT NULL,
    ReceptionTime DATETIME(6) NOT NULL,
    LineTime DATETIME(6) NULL,
    Level BIGINT NOT NULL,
    Component VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL,
    Line MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (PilotID, LineNumber),
    KEY PilotLogLineReception (ReceptionTime)
) ENGINE = InnoDB;
