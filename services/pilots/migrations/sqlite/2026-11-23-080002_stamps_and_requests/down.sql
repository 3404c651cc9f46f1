DROP TABLE PilotRequests;
DROP TABLE PilotStamps;
