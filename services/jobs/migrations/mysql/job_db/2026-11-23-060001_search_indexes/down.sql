SET @statement = (
    SELECT IF(
        COUNT(*) > 0,
        'ALTER TABLE Jobs DROP INDEX VO, DROP INDEX VoStatusSite, DROP INDEX VoOwnerStatus',
        'DO 0'
    )
    FROM information_schema.TABLE_CONSTRAINTS
    WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = 'Jobs' AND CONSTRAINT_NAME = 'jobs_jdl'
);
PREPARE drop_indexes FROM @statement;
EXECUTE drop_indexes;
DEALLOCATE PREPARE drop_indexes;
