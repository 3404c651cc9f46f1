-- The parameters of jobs with their types: what DiracX keeps in OpenSearch, and DIRAC as text in JobParameters.
-- The type of a foreign key is that of the column it names, which is INT in DiracX's table and INT UNSIGNED in DIRAC's.
SET @job_id_type = (
    SELECT COLUMN_TYPE FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'Jobs' AND COLUMN_NAME = 'JobID'
);
SET @make_table = CONCAT(
    'CREATE TABLE IF NOT EXISTS JobParameterValues (',
    'JobID ', @job_id_type, ' NOT NULL, ',
    'Name VARCHAR(255) NOT NULL, ',
    'Kind VARCHAR(8) NOT NULL, ',
    'Value MEDIUMTEXT NOT NULL, ',
    'LastUpdateTime DATETIME(6) NOT NULL, ',
    'PRIMARY KEY (JobID, Name), ',
    'CONSTRAINT job_parameter_values_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE',
    ') ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin'
);
PREPARE make_table FROM @make_table;
EXECUTE make_table;
DEALLOCATE PREPARE make_table;
