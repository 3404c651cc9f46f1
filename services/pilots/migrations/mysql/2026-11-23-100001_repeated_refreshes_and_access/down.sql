DROP TABLE PilotAccessBars;
ALTER TABLE PilotRefreshTokens
    DROP KEY PilotRefreshTokenDestination,
    DROP KEY PilotRefreshTokenParent,
    DROP COLUMN DestinationSite,
    DROP COLUMN UsedTime,
    DROP COLUMN HashedParent;
