-- The tables as DiracX makes them. Those that are there already are used as they are.

CREATE TABLE IF NOT EXISTS "DeviceFlows" (
    "UserCode" VARCHAR(8) NOT NULL,
    "Status" VARCHAR(16) DEFAULT 'PENDING' NOT NULL,
    "CreationTime" DATETIME DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%S', 'now')) NOT NULL,
    "ClientID" VARCHAR(255) NOT NULL,
    "Scope" VARCHAR(1024) NOT NULL,
    "DeviceCode" VARCHAR(128) NOT NULL,
    "IDToken" JSON,
    PRIMARY KEY ("UserCode"),
    UNIQUE ("DeviceCode")
);

CREATE TABLE IF NOT EXISTS "AuthorizationFlows" (
    "UUID" CHAR(32) NOT NULL,
    "Status" VARCHAR(16) DEFAULT 'PENDING' NOT NULL,
    "ClientID" VARCHAR(255) NOT NULL,
    "CreationTime" DATETIME DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%S', 'now')) NOT NULL,
    "Scope" VARCHAR(1024) NOT NULL,
    "CodeChallenge" VARCHAR(255) NOT NULL,
    "CodeChallengeMethod" VARCHAR(8) NOT NULL,
    "RedirectURI" VARCHAR(255) NOT NULL,
    "Code" VARCHAR(255),
    "IDToken" JSON,
    PRIMARY KEY ("UUID")
);

CREATE INDEX IF NOT EXISTS "ix_AuthorizationFlows_Code" ON "AuthorizationFlows" ("Code");

CREATE TABLE IF NOT EXISTS "RefreshTokens" (
    "JTI" CHAR(32) NOT NULL,
    "Status" VARCHAR(16) DEFAULT 'CREATED' NOT NULL,
    "Scope" VARCHAR(1024) NOT NULL,
    "Sub" VARCHAR(256) NOT NULL,
    PRIMARY KEY ("JTI")
);

CREATE INDEX IF NOT EXISTS "index_status_sub" ON "RefreshTokens" ("Status", "Sub");
CREATE INDEX IF NOT EXISTS "ix_RefreshTokens_Sub" ON "RefreshTokens" ("Sub");
