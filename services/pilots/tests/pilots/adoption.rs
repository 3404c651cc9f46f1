//! A database that DIRAC or DiracX made, with pilots in it, is adopted as it is and served.

use diracx_core::PilotStatus;
use diracx_testkit::TestDatabase;

use crate::{
    harness::{Pilots, to},
    sql::{cells, execute},
};

/// DIRAC's `PilotAgentsDB.sql`: no key of the links, no index of stamps, latin1.
const OF_DIRAC: &str = "
CREATE TABLE PilotAgents (
    PilotID INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    InitialJobID INT(11) UNSIGNED NOT NULL DEFAULT 0,
    CurrentJobID INT(11) UNSIGNED NOT NULL DEFAULT 0,
    PilotJobReference VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    PilotStamp VARCHAR(32) NOT NULL DEFAULT '',
    DestinationSite VARCHAR(128) NOT NULL DEFAULT 'NotAssigned',
    Queue VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    GridSite VARCHAR(128) NOT NULL DEFAULT 'Unknown',
    VO VARCHAR(128),
    GridType VARCHAR(32) NOT NULL DEFAULT 'LCG',
    BenchMark DOUBLE NOT NULL DEFAULT 0.0,
    SubmissionTime DATETIME DEFAULT NULL,
    LastUpdateTime DATETIME DEFAULT NULL,
    Status VARCHAR(32) NOT NULL DEFAULT 'Unknown',
    StatusReason VARCHAR(255) NOT NULL DEFAULT 'Unknown',
    AccountingSent ENUM('True','False') NOT NULL DEFAULT 'False',
    PRIMARY KEY (PilotID),
    INDEX (PilotJobReference),
    INDEX (Status),
    INDEX Statuskey (GridSite, DestinationSite, Status)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
CREATE TABLE JobToPilotMapping (
    PilotID INT(11) UNSIGNED NOT NULL,
    JobID INT(11) UNSIGNED NOT NULL,
    StartTime DATETIME NOT NULL,
    INDEX (JobID),
    INDEX (PilotID)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
CREATE TABLE PilotOutput (
    PilotID INT(11) UNSIGNED NOT NULL,
    StdOutput MEDIUMTEXT,
    StdError MEDIUMTEXT,
    PRIMARY KEY (PilotID)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;";

/// What DiracX's models make of MySQL: no defaults.
const OF_DIRACX: &str = "
CREATE TABLE PilotAgents (
    PilotID INTEGER NOT NULL AUTO_INCREMENT,
    InitialJobID INTEGER NOT NULL,
    CurrentJobID INTEGER NOT NULL,
    PilotJobReference VARCHAR(255) NOT NULL,
    PilotStamp VARCHAR(32) NOT NULL,
    DestinationSite VARCHAR(128) NOT NULL,
    Queue VARCHAR(128) NOT NULL,
    GridSite VARCHAR(128) NOT NULL,
    VO VARCHAR(128) NOT NULL,
    GridType VARCHAR(32) NOT NULL,
    BenchMark DOUBLE NOT NULL,
    SubmissionTime DATETIME,
    LastUpdateTime DATETIME,
    Status VARCHAR(32) NOT NULL,
    StatusReason VARCHAR(255) NOT NULL,
    AccountingSent ENUM('True','False') NOT NULL,
    PRIMARY KEY (PilotID)
);
CREATE INDEX PilotJobReference ON PilotAgents (PilotJobReference);
CREATE INDEX Statuskey ON PilotAgents (GridSite, DestinationSite, Status);
CREATE INDEX Status ON PilotAgents (Status);
CREATE INDEX idx_dest_queue_status ON PilotAgents (DestinationSite, Queue, Status);
CREATE TABLE JobToPilotMapping (
    PilotID INTEGER NOT NULL,
    JobID INTEGER NOT NULL,
    StartTime DATETIME NOT NULL,
    PRIMARY KEY (PilotID, JobID)
);
CREATE INDEX JobID ON JobToPilotMapping (JobID);
CREATE INDEX PilotID ON JobToPilotMapping (PilotID);
CREATE TABLE PilotOutput (
    PilotID INTEGER NOT NULL AUTO_INCREMENT,
    StdOutput TEXT NOT NULL,
    StdError TEXT NOT NULL,
    PRIMARY KEY (PilotID)
);";

const ROWS: &str = "
INSERT INTO PilotAgents (PilotID, InitialJobID, CurrentJobID, PilotJobReference, PilotStamp, DestinationSite, Queue,
    GridSite, VO, GridType, BenchMark, SubmissionTime, LastUpdateTime, Status, StatusReason, AccountingSent) VALUES
(11, 0, 0, 'htc://ce/1', 'one', 'ce', 'long', 'S', 'alpha', 'DIRAC', 1.5, '2026-11-01', '2026-11-02', 'Running', 'r', 'False'),
(12, 0, 0, 'htc://ce/2', 'twice', 'ce', 'long', 'S', 'alpha', 'DIRAC', 0, '2026-11-01', '2026-11-02', 'Done', 'r', 'True'),
(13, 0, 0, 'htc://ce/3', 'twice', 'ce', 'long', 'S', 'alpha', 'DIRAC', 0, '2026-11-01', '2026-11-02', 'Running', 'r', 'False'),
(14, 0, 0, 'htc://ce/4', 'ONE', 'ce', 'long', 'S', 'beta', 'DIRAC', 0, NULL, NULL, 'Scheduled', 'r', 'False'),
(15, 0, 0, 'htc://ce/5', '', 'ce', 'long', 'S', 'beta', 'DIRAC', 0, NULL, NULL, 'Submitted', 'r', 'False');
INSERT INTO JobToPilotMapping (PilotID, JobID, StartTime) VALUES (11, 1, '2026-11-02'), (13, 2, '2026-11-02');
INSERT INTO PilotOutput (PilotID, StdOutput, StdError) VALUES (12, 'out', 'err');";

/// Rows as old servers wrote them: times that are none, and letters that are not ASCII.
const OLD_ROWS: &str = "SET SESSION sql_mode = '';
INSERT INTO PilotAgents (PilotID, InitialJobID, CurrentJobID, PilotJobReference, PilotStamp, DestinationSite, Queue,
    GridSite, VO, GridType, BenchMark, SubmissionTime, LastUpdateTime, Status, StatusReason, AccountingSent) VALUES
(21, 0, 0, 'htc://ce/21', 'zero', 'ce', 'long', 'S', 'alpha', 'DIRAC', 0, '0000-00-00 00:00:00', '0000-00-00 00:00:00', 'Running', 'arrêté', 'False');
INSERT INTO JobToPilotMapping (PilotID, JobID, StartTime) VALUES (21, 21, '0000-00-00 00:00:00');";

/// Only DIRAC's own table has room for a pilot of no VO.
const WITHOUT_VO: &str = "
INSERT INTO PilotAgents (PilotID, PilotJobReference, PilotStamp, VO, Status, LastUpdateTime) VALUES
(22, 'htc://ce/22', 'without', NULL, 'Running', '2026-11-22');";

const DEFINITIONS: &str = "SELECT CONCAT_WS('|', TABLE_NAME, COLUMN_NAME, IFNULL(COLUMN_DEFAULT, 'none'), IS_NULLABLE, \
    COLUMN_TYPE, COLUMN_KEY, EXTRA) AS cell FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND \
    TABLE_NAME IN ('PilotAgents', 'JobToPilotMapping', 'PilotOutput') UNION ALL \
    SELECT CONCAT_WS('|', TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME) FROM information_schema.STATISTICS \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('PilotAgents', 'JobToPilotMapping', 'PilotOutput') ORDER BY 1";

async fn adopt(tables: &str) {
    let db = TestDatabase::mariadb();
    let database = db.url("PilotAgentsDB").await;
    execute(&database, tables).await;
    execute(&database, ROWS).await;
    let before = cells(&database, DEFINITIONS).await;
    let pilots = Pilots::start_on(db, database).await;
    assert_eq!(cells(&pilots.database, DEFINITIONS).await, before, "the tables are not what they were");

    assert_eq!(pilots.finds("alice", vec![]).await.unwrap(), ["one", "twice", "twice"]);
    assert_eq!(
        pilots.jobs_of("alice", &["one", "twice"]).await.unwrap(),
        [("one".to_owned(), vec![1]), ("twice".to_owned(), vec![2]),]
    );
    let outcomes = pilots.register("service_admin", "alpha", &["twice", "one", "ONE", "new"]).await.unwrap();
    let taken: Vec<bool> = outcomes.iter().map(Option::is_some).collect();
    assert_eq!(taken, [true, true, true, false], "{outcomes:?}");
    let changed = pilots.patch("service_admin", vec![to("ONE", PilotStatus::Waiting)], |_| ()).await.unwrap();
    assert_eq!(changed, [None]);
    let status = cells(&pilots.database, "SELECT Status AS cell FROM PilotAgents ORDER BY PilotID").await;
    assert_eq!(status, ["Running", "Done", "Running", "Waiting", "Submitted", "Submitted"]);
    pilots.assign("one", &[1, 3]).await.unwrap();
    assert_eq!(pilots.jobs_of("alice", &["one"]).await.unwrap(), [("one".to_owned(), vec![1, 3])]);
    let (stalled, done) = pilots.declare_stalled(0).await;
    assert!(done && stalled.contains(&"twice".to_owned()), "{stalled:?}");
}

/// Rows that no server of today would write are read all the same, and hide nothing.
async fn with_old_rows(tables: &str, without_vo: &str) {
    let db = TestDatabase::mariadb();
    let database = db.url("PilotAgentsDB").await;
    execute(&database, &[tables, ROWS, OLD_ROWS, without_vo].concat()).await;
    let pilots = Pilots::start_on(db, database).await;
    assert_eq!(pilots.finds("alice", vec![]).await.unwrap(), ["one", "twice", "twice", "zero"]);
    let all = 6 + usize::from(!without_vo.is_empty());
    assert_eq!(pilots.finds("service_admin", vec![]).await.unwrap().len(), all);
    let columns = ["SubmissionTime", "LastUpdateTime", "StatusReason"];
    assert_eq!(pilots.look("zero", &columns).await, ["-", "-", "arrêté"]);
    assert_eq!(pilots.pilots_of("alice", &[21]).await.unwrap(), [(21, vec!["zero".to_owned()])]);
    // page by page, in the order of what has no time
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = pilots.search("service_admin", |request| {
            request.page_size = 1;
            request.read_mask = vec!["PilotStamp".into()];
            request.sort =
                vec![diracx_proto::common::v1::SortSpec { parameter: "LastUpdateTime".into(), direction: 1 }];
            request.page_token.clone_from(&token);
        });
        let page = page.await.unwrap();
        token.clone_from(&page.next_page_token);
        found.extend(crate::harness::rows(page));
        if token.is_empty() || found.len() > all {
            break;
        }
    }
    assert_eq!(found.len(), all, "{found:?}");
    if !without_vo.is_empty() {
        let request = pilots.request(
            "pilot:alpha:without",
            futures::stream::iter(vec![diracx_proto::pilots::v1::AppendPilotLogRequest {
                pilot_stamp: "without".into(),
                ..Default::default()
            }]),
        );
        let refused = pilots.client.clone().append_pilot_log(request).await.unwrap_err();
        assert_eq!(crate::harness::reason(&refused), "PILOT_NOT_FOUND", "it is of no VO");
    }
    let stalled = pilots.declare_stalled(0).await.0;
    assert!(stalled.contains(&"zero".to_owned()), "{stalled:?}");
    assert_eq!(pilots.kill("service_admin", &["one"], "").await.unwrap(), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_of_dirac_are_read_on_mariadb() {
    with_old_rows(OF_DIRAC, WITHOUT_VO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_of_diracx_are_read_on_mariadb() {
    with_old_rows(OF_DIRACX, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_dirac_is_adopted_and_served_on_mariadb() {
    adopt(OF_DIRAC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_diracx_is_adopted_and_served_on_mariadb() {
    adopt(OF_DIRACX).await;
}
