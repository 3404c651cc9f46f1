DROP TABLE PilotLogLines;
DROP TABLE PilotLogs;
DROP TABLE PilotBars;
DROP TABLE PilotRefreshTokens;
DROP TABLE PilotSecretBindings;
DROP TABLE PilotSecrets;
