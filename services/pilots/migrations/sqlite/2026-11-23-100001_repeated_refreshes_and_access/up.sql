-- Of which token a token came, and when that was used: a pilot that lost an answer may ask again.
ALTER TABLE PilotRefreshTokens ADD COLUMN HashedParent CHAR(64) NULL;
ALTER TABLE PilotRefreshTokens ADD COLUMN UsedTime DATETIME NULL;
ALTER TABLE PilotRefreshTokens ADD COLUMN DestinationSite VARCHAR(128) NOT NULL DEFAULT '';
CREATE INDEX IF NOT EXISTS PilotRefreshTokenParent ON PilotRefreshTokens (HashedParent);
CREATE INDEX IF NOT EXISTS PilotRefreshTokenDestination ON PilotRefreshTokens (DestinationSite);

-- Pilots whose access tokens count no more that were issued before.
CREATE TABLE IF NOT EXISTS PilotAccessBars (
    PilotStamp VARCHAR(32) NOT NULL PRIMARY KEY,
    BarredTime DATETIME NOT NULL
);
CREATE INDEX IF NOT EXISTS PilotAccessBarTime ON PilotAccessBars (BarredTime);
