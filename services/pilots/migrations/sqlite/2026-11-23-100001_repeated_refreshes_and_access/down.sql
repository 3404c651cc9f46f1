DROP TABLE PilotAccessBars;
DROP INDEX PilotRefreshTokenDestination;
DROP INDEX PilotRefreshTokenParent;
ALTER TABLE PilotRefreshTokens DROP COLUMN DestinationSite;
ALTER TABLE PilotRefreshTokens DROP COLUMN UsedTime;
ALTER TABLE PilotRefreshTokens DROP COLUMN HashedParent;
