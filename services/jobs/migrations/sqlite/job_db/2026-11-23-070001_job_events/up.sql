-- What happens to jobs, in numbered rows, for those who watch them; kept for a day.
-- AUTOINCREMENT: a number is never given twice, even if the newest rows were deleted.
CREATE TABLE IF NOT EXISTS JobEvents (
    Seq INTEGER PRIMARY KEY AUTOINCREMENT,
    JobID INTEGER NOT NULL,
    EventTime DATETIME NOT NULL,
    Status VARCHAR(32) NOT NULL,
    MinorStatus VARCHAR(128) NOT NULL,
    ApplicationStatus VARCHAR(255) NOT NULL,
    RescheduleCounter INTEGER NOT NULL,
    Removed INTEGER NOT NULL,
    Owner VARCHAR(64) NOT NULL,
    OwnerGroup VARCHAR(128) NOT NULL,
    VO VARCHAR(32) NOT NULL,
    JobGroup VARCHAR(32) NOT NULL,
    JobName VARCHAR(128) NOT NULL
);
