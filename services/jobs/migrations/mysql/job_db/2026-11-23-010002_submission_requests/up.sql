-- Which jobs a submission made, so that repeating it makes no others.
CREATE TABLE IF NOT EXISTS SubmissionRequests (
    RequestKey CHAR(64) NOT NULL,
    ReceptionTime DATETIME(6) NOT NULL,
    Jobs MEDIUMTEXT NOT NULL,
    PRIMARY KEY (RequestKey),
    KEY SubmissionReceptionTime (ReceptionTime)
) ENGINE = InnoDB;
