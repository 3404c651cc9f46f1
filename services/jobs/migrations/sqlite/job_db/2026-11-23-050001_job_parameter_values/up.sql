-- The parameters of jobs with their types: what DiracX keeps in OpenSearch, and DIRAC as text in JobParameters.
CREATE TABLE IF NOT EXISTS JobParameterValues (
    JobID INTEGER NOT NULL,
    Name VARCHAR(255) NOT NULL,
    Kind VARCHAR(8) NOT NULL,
    Value TEXT NOT NULL,
    LastUpdateTime DATETIME NOT NULL,
    PRIMARY KEY (JobID, Name),
    CONSTRAINT job_parameter_values_job FOREIGN KEY (JobID) REFERENCES Jobs (JobID) ON DELETE CASCADE
);
