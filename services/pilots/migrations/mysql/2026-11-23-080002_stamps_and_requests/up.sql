-- Who has a stamp. DIRAC's own table has neither a unique key nor an index for it. Bytes, because texts of DIRAC's
-- tables are equal that differ in case.
CREATE TABLE IF NOT EXISTS PilotStamps (
    PilotStamp VARBINARY(128) NOT NULL,
    PilotID BIGINT NOT NULL,
    PRIMARY KEY (PilotStamp)
) ENGINE = InnoDB;

-- What came of a registration, so that repeating it registers nothing else.
CREATE TABLE IF NOT EXISTS PilotRequests (
    RequestKey CHAR(64) NOT NULL,
    ReceptionTime DATETIME(6) NOT NULL,
    Outcome MEDIUMTEXT NOT NULL,
    PRIMARY KEY (RequestKey),
    KEY PilotReceptionTime (ReceptionTime)
) ENGINE = InnoDB;

-- The stamps of pilots that DIRAC or DiracX registered before. Of several with one stamp the newest has it.
INSERT IGNORE INTO PilotStamps (PilotStamp, PilotID)
SELECT Stamp, MAX(PilotID)
FROM (SELECT CONVERT(PilotStamp USING utf8mb4) COLLATE utf8mb4_bin AS Stamp, PilotID FROM PilotAgents) AS Known
WHERE Stamp <> ''
GROUP BY Stamp;
