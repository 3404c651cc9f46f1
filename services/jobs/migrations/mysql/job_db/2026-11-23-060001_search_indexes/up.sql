-- Indexes for what people search for and count within their VO. Only on a table that our own migration made, which
-- its constraint tells: tables of DIRAC and DiracX stay as they are. docs/performance.md has the statement for them.
SET @statement = (
    SELECT IF(
        COUNT(*) > 0,
        'ALTER TABLE Jobs ADD INDEX VO (VO), ADD INDEX VoStatusSite (VO, Status, Site), ADD INDEX VoOwnerStatus (VO, Owner, Status, Site)',
        'DO 0'
    )
    FROM information_schema.TABLE_CONSTRAINTS
    WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = 'Jobs' AND CONSTRAINT_NAME = 'jobs_jdl'
);
PREPARE add_indexes FROM @statement;
EXECUTE add_indexes;
DEALLOCATE PREPARE add_indexes;
