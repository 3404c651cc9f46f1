-- The tables as DiracX makes them, and an index by which codes are found. Those that are there already are used as they are.

CREATE TABLE IF NOT EXISTS `DeviceFlows` (
    `UserCode` VARCHAR(8) NOT NULL,
    `Status` VARCHAR(16) NOT NULL DEFAULT 'PENDING',
    `CreationTime` DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP()),
    `ClientID` VARCHAR(255) NOT NULL,
    `Scope` VARCHAR(1024) NOT NULL,
    `DeviceCode` VARCHAR(128) NOT NULL,
    `IDToken` JSON,
    PRIMARY KEY (`UserCode`),
    UNIQUE (`DeviceCode`)
);

CREATE TABLE IF NOT EXISTS `AuthorizationFlows` (
    `UUID` CHAR(32) NOT NULL,
    `Status` VARCHAR(16) NOT NULL DEFAULT 'PENDING',
    `ClientID` VARCHAR(255) NOT NULL,
    `CreationTime` DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP()),
    `Scope` VARCHAR(1024) NOT NULL,
    `CodeChallenge` VARCHAR(255) NOT NULL,
    `CodeChallengeMethod` VARCHAR(8) NOT NULL,
    `RedirectURI` VARCHAR(255) NOT NULL,
    `Code` VARCHAR(255),
    `IDToken` JSON,
    PRIMARY KEY (`UUID`),
    KEY `ix_AuthorizationFlows_Code` (`Code`)
);

CREATE TABLE IF NOT EXISTS `RefreshTokens` (
    `JTI` CHAR(32) NOT NULL,
    `Status` VARCHAR(16) NOT NULL DEFAULT 'CREATED',
    `Scope` VARCHAR(1024) NOT NULL,
    `Sub` VARCHAR(256) NOT NULL,
    PRIMARY KEY (`JTI`),
    KEY `index_status_sub` (`Status`, `Sub`),
    KEY `ix_RefreshTokens_Sub` (`Sub`)
);
