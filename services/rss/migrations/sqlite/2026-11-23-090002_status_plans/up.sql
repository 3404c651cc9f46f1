-- Statuses that will be, and what an element will be again when a status has expired. Kind is Site or Resource: which
-- of DIRAC's tables has the row with this key.
CREATE TABLE "StatusPlans" (
    "Kind" VARCHAR(8) NOT NULL,
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL,
    "VO" VARCHAR(64) NOT NULL,
    "ElementType" VARCHAR(32) NOT NULL,
    "Status" VARCHAR(8) NOT NULL,
    "Reason" VARCHAR(512) NOT NULL,
    "EffectiveTime" DATETIME NOT NULL,
    "DrainFrom" DATETIME NULL,
    "ExpirationTime" DATETIME NOT NULL,
    "TokenOwner" VARCHAR(16) NOT NULL,
    PRIMARY KEY ("Kind", "Name", "StatusType", "VO")
);

CREATE TABLE "StatusReturns" (
    "Kind" VARCHAR(8) NOT NULL,
    "Name" VARCHAR(64) NOT NULL,
    "StatusType" VARCHAR(128) NOT NULL,
    "VO" VARCHAR(64) NOT NULL,
    "ExpirationTime" DATETIME NOT NULL,
    "Status" VARCHAR(8) NOT NULL,
    "PriorStatus" VARCHAR(8) NULL,
    "PriorReason" VARCHAR(512) NOT NULL,
    "PriorExpiration" DATETIME NOT NULL,
    "PriorOwner" VARCHAR(16) NOT NULL,
    PRIMARY KEY ("Kind", "Name", "StatusType", "VO")
);
