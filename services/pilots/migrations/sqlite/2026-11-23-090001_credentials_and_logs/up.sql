-- What pilots get their first token for. Only a keyed hash of a secret is kept.
CREATE TABLE IF NOT EXISTS PilotSecrets (
    SecretID CHAR(32) NOT NULL PRIMARY KEY,
    HashedSecret CHAR(64) NOT NULL UNIQUE,
    VO VARCHAR(128) NOT NULL,
    RemainingUses BIGINT NULL,
    ExpirationTime DATETIME NOT NULL,
    RevocationTime DATETIME NULL,
    Constraints TEXT NOT NULL,
    CreatedBy VARCHAR(255) NOT NULL
);
CREATE INDEX IF NOT EXISTS PilotSecretExpiration ON PilotSecrets (ExpirationTime);

-- To whom secrets are bound, for taking them away by pilot or by site.
CREATE TABLE IF NOT EXISTS PilotSecretBindings (
    Kind CHAR(5) NOT NULL,
    Bound VARCHAR(128) NOT NULL,
    SecretID CHAR(32) NOT NULL,
    PRIMARY KEY (Kind, Bound, SecretID)
);
CREATE INDEX IF NOT EXISTS PilotSecretBindingSecret ON PilotSecretBindings (SecretID);

-- What pilots go on with. A token that was used stays until it expires, so that a second use is seen.
CREATE TABLE IF NOT EXISTS PilotRefreshTokens (
    HashedToken CHAR(64) NOT NULL PRIMARY KEY,
    SecretID CHAR(32) NOT NULL,
    PilotStamp VARCHAR(32) NOT NULL,
    VO VARCHAR(128) NOT NULL,
    GridSite VARCHAR(128) NOT NULL,
    ExpirationTime DATETIME NOT NULL,
    State CHAR(7) NOT NULL
);
CREATE INDEX IF NOT EXISTS PilotRefreshTokenStamp ON PilotRefreshTokens (PilotStamp);
CREATE INDEX IF NOT EXISTS PilotRefreshTokenSecret ON PilotRefreshTokens (SecretID);
CREATE INDEX IF NOT EXISTS PilotRefreshTokenSite ON PilotRefreshTokens (GridSite);
CREATE INDEX IF NOT EXISTS PilotRefreshTokenExpiration ON PilotRefreshTokens (ExpirationTime);

-- Pilots that get nothing for a secret made before.
CREATE TABLE IF NOT EXISTS PilotBars (
    PilotStamp VARCHAR(32) NOT NULL PRIMARY KEY,
    BarredTime DATETIME NOT NULL
);
CREATE INDEX IF NOT EXISTS PilotBarTime ON PilotBars (BarredTime);

-- How far the log of a pilot is.
CREATE TABLE IF NOT EXISTS PilotLogs (
    PilotID BIGINT NOT NULL PRIMARY KEY,
    NextLine BIGINT NOT NULL,
    SizeBytes BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS PilotLogLines (
    PilotID BIGINT NOT NULL,
    LineNumber BIGINT NOT NULL,
    ReceptionTime DATETIME NOT NULL,
    LineTime DATETIME NULL,
    Level BIGINT NOT NULL,
    Component VARCHAR(64) NOT NULL,
    Line TEXT NOT NULL,
    PRIMARY KEY (PilotID, LineNumber)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS PilotLogLineReception ON PilotLogLines (ReceptionTime);
