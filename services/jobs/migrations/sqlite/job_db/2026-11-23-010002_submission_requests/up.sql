-- Which jobs a submission made, so that repeating it makes no others.
CREATE TABLE IF NOT EXISTS SubmissionRequests (
    RequestKey CHAR(64) NOT NULL PRIMARY KEY,
    ReceptionTime DATETIME NOT NULL,
    Jobs TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS SubmissionReceptionTime ON SubmissionRequests (ReceptionTime);
