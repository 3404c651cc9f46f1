-- What happens to jobs, in numbered rows, for those who watch them; kept for a day.
CREATE TABLE IF NOT EXISTS JobEvents (
    Seq BIGINT NOT NULL AUTO_INCREMENT,
    JobID BIGINT NOT NULL,
    EventTime DATETIME(6) NOT NULL,
    Status VARCHAR(32) NOT NULL,
    MinorStatus VARCHAR(128) NOT NULL,
    ApplicationStatus VARCHAR(255) NOT NULL,
    RescheduleCounter INT NOT NULL,
    Removed TINYINT NOT NULL,
    Owner VARCHAR(64) NOT NULL,
    OwnerGroup VARCHAR(128) NOT NULL,
    VO VARCHAR(32) NOT NULL,
    JobGroup VARCHAR(32) NOT NULL,
    JobName VARCHAR(128) NOT NULL,
    PRIMARY KEY (Seq)
) ENGINE = InnoDB;
