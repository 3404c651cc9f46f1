-- The tables of DIRAC's ResourceStatusDB, as DiracX makes them; those that are there already stay as they are.
CREATE TABLE IF NOT EXISTS "SiteStatus" (
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL DEFAULT 'all',
    "VO" VARCHAR(64) NOT NULL DEFAULT 'all',
    "Status" VARCHAR(8) NOT NULL DEFAULT '',
    "Reason" VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    "DateEffective" DATETIME NOT NULL,
    "TokenExpiration" DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    "ElementType" VARCHAR(32) NOT NULL DEFAULT '',
    "LastCheckTime" DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    "TokenOwner" VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY ("Name", "StatusType", "VO")
);

CREATE TABLE IF NOT EXISTS "ResourceStatus" (
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL DEFAULT 'all',
    "VO" VARCHAR(64) NOT NULL DEFAULT 'all',
    "Status" VARCHAR(8) NOT NULL DEFAULT '',
    "Reason" VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    "DateEffective" DATETIME NOT NULL,
    "TokenExpiration" DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    "ElementType" VARCHAR(32) NOT NULL DEFAULT '',
    "LastCheckTime" DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    "TokenOwner" VARCHAR(16) NOT NULL DEFAULT 'rs_svc',
    PRIMARY KEY ("Name", "StatusType", "VO")
);

CREATE TABLE IF NOT EXISTS "SiteLog" (
    "ID" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL DEFAULT 'all',
    "VO" VARCHAR(64) NOT NULL DEFAULT 'all',
    "Status" VARCHAR(8) NOT NULL DEFAULT '',
    "Reason" VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    "DateEffective" DATETIME NOT NULL,
    "TokenExpiration" DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    "ElementType" VARCHAR(32) NOT NULL DEFAULT '',
    "LastCheckTime" DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    "TokenOwner" VARCHAR(16) NOT NULL DEFAULT 'rs_svc'
);

CREATE TABLE IF NOT EXISTS "SiteHistory" (
    "ID" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL DEFAULT 'all',
    "VO" VARCHAR(64) NOT NULL DEFAULT 'all',
    "Status" VARCHAR(8) NOT NULL DEFAULT '',
    "Reason" VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    "DateEffective" DATETIME NOT NULL,
    "TokenExpiration" DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    "ElementType" VARCHAR(32) NOT NULL DEFAULT '',
    "LastCheckTime" DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    "TokenOwner" VARCHAR(16) NOT NULL DEFAULT 'rs_svc'
);

CREATE TABLE IF NOT EXISTS "ResourceLog" (
    "ID" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL DEFAULT 'all',
    "VO" VARCHAR(64) NOT NULL DEFAULT 'all',
    "Status" VARCHAR(8) NOT NULL DEFAULT '',
    "Reason" VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    "DateEffective" DATETIME NOT NULL,
    "TokenExpiration" DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    "ElementType" VARCHAR(32) NOT NULL DEFAULT '',
    "LastCheckTime" DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    "TokenOwner" VARCHAR(16) NOT NULL DEFAULT 'rs_svc'
);

CREATE TABLE IF NOT EXISTS "ResourceHistory" (
    "ID" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL DEFAULT 'all',
    "VO" VARCHAR(64) NOT NULL DEFAULT 'all',
    "Status" VARCHAR(8) NOT NULL DEFAULT '',
    "Reason" VARCHAR(512) NOT NULL DEFAULT 'Unspecified',
    "DateEffective" DATETIME NOT NULL,
    "TokenExpiration" DATETIME NOT NULL DEFAULT '9999-12-31 23:59:59',
    "ElementType" VARCHAR(32) NOT NULL DEFAULT '',
    "LastCheckTime" DATETIME NOT NULL DEFAULT '1000-01-01 00:00:00',
    "TokenOwner" VARCHAR(16) NOT NULL DEFAULT 'rs_svc'
);
