-- Who has a stamp. DIRAC's own table has neither a unique key nor an index for it.
CREATE TABLE IF NOT EXISTS PilotStamps (
    PilotStamp VARCHAR(32) NOT NULL PRIMARY KEY,
    PilotID BIGINT NOT NULL
);

-- What came of a registration, so that repeating it registers nothing else.
CREATE TABLE IF NOT EXISTS PilotRequests (
    RequestKey CHAR(64) NOT NULL PRIMARY KEY,
    ReceptionTime DATETIME NOT NULL,
    Outcome TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS PilotReceptionTime ON PilotRequests (ReceptionTime);

-- The stamps of pilots that DiracX registered before. Of several with one stamp the newest has it.
INSERT OR IGNORE INTO PilotStamps (PilotStamp, PilotID)
SELECT PilotStamp, MAX(PilotID) FROM PilotAgents WHERE PilotStamp <> '' GROUP BY PilotStamp;
