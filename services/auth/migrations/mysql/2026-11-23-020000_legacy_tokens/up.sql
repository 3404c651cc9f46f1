-- Which refresh tokens were given to DIRAC servers: nothing in DiracX's table tells.
CREATE TABLE IF NOT EXISTS `LegacyRefreshTokens` (
    `JTI` CHAR(32) NOT NULL,
    PRIMARY KEY (`JTI`)
);
