-- Of which token a token came, and when that was used: a pilot that lost an answer may ask again.
ALTER TABLE PilotRefreshTokens
    ADD COLUMN HashedParent CHAR(64) CHARACTER SET ascii NULL,
    ADD COLUMN UsedTime DATETIME(6) NULL,
    ADD COLUMN DestinationSite VARBINARY(512) NOT NULL DEFAULT '',
    ADD KEY PilotRefreshTokenParent (HashedParent),
    ADD KEY PilotRefreshTokenDestination (DestinationSite);

-- Pilots whose access tokens count no more that were issued before.
CREATE TABLE IF NOT EXISTS PilotAccessBars (
    PilotStamp VARBINARY(128) NOT NULL,
    BarredTime DATETIME(6) NOT NULL,
    PRIMARY KEY (PilotStamp),
    KEY PilotAccessBarTime (BarredTime)
) ENGINE = InnoDB;
