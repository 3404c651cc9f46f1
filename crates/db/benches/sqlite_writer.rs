//! How to write to SQLite: what docs/adr/0001 compares.
//!
//! `cargo bench -p diracx-db --bench sqlite_writer` prints, for one client and for 64, how many units of
//! work per second each way does. A unit inserts a job's worth: one row into a table like `Jobs`
//! (17 columns, 10 indexes) and one into a table like `LoggingInfo`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    time::{Duration, Instant},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection, sql_types::Text};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _, sync_connection_wrapper::SyncConnectionWrapper};
use diracx_db::{Bind, DbResult, Deadline, sqlite::Databases, statement::BulkInsert};
use futures::{FutureExt, future::join_all};
use tokio::sync::{Mutex, oneshot};

const COLUMNS: &[&str] =
    &["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q"];
const RUN: Duration = Duration::from_secs(3);

fn schema() -> String {
    let columns = COLUMNS.iter().map(|name| format!("{name} TEXT NOT NULL")).collect::<Vec<_>>().join(", ");
    let indexes: String =
        COLUMNS[..10].iter().map(|name| format!("CREATE INDEX Index{name} ON Jobs ({name});")).collect();
    format!(
        "PRAGMA journal_mode = WAL; CREATE TABLE Jobs (Id INTEGER PRIMARY KEY, {columns}); {indexes} \
         CREATE TABLE Records (Id INTEGER PRIMARY KEY, Status TEXT NOT NULL);"
    )
}

fn fresh(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    SqliteConnection::establish(&path.to_string_lossy()).unwrap().batch_execute(&schema()).unwrap();
    path
}

fn row() -> Vec<Vec<Bind>> {
    vec![COLUMNS.iter().map(|name| Bind::from(format!("value of {name}"))).collect()]
}

fn insert(rows: &[Vec<Bind>]) -> BulkInsert<'_> {
    BulkInsert { table: "Jobs", columns: COLUMNS, rows, or_keep: false }
}

const RECORD: &str = "INSERT INTO Records (Status) VALUES (?)";

/// What we have: the asynchronous source, on a connection that works on the spot, on the writer's thread.
async fn on_the_spot(databases: &Databases) {
    databases
        .write(Deadline::NONE, |tx| {
            async move {
                let conn = tx.on(0).await?;
                insert(&row()).execute(conn).await?;
                diesel::sql_query(RECORD).bind::<Text, _>("Received").execute(conn).await?;
                DbResult::Ok(())
            }
            .boxed()
        })
        .await
        .unwrap();
}

type Closure = Box<dyn FnOnce(&mut SqliteConnection) -> oneshot::Sender<()> + Send>;

/// The alternative: synchronous closures on a thread of their own, with the same group commit.
fn start_closures(path: &Path) -> Sender<Closure> {
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    conn.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA synchronous = NORMAL;").unwrap();
    let (sender, receiver) = channel::<Closure>();
    std::thread::spawn(move || {
        while let Ok(first) = receiver.recv() {
            conn.batch_execute("BEGIN IMMEDIATE").unwrap();
            let mut replies = Vec::new();
            let mut next = Some(first);
            while let Some(work) = next.take() {
                conn.batch_execute("SAVEPOINT unit").unwrap();
                replies.push(work(&mut conn));
                conn.batch_execute("RELEASE unit").unwrap();
                if replies.len() < 64 {
                    next = receiver.try_recv().ok();
                }
            }
            conn.batch_execute("COMMIT").unwrap();
            for reply in replies {
                let _ = reply.send(());
            }
        }
    });
    sender
}

async fn closure(thread: &Sender<Closure>) {
    let (tell, told) = oneshot::channel();
    thread
        .send(Box::new(move |conn| {
            conn.execute_returning_count(&insert(&row())).unwrap();
            diesel::RunQueryDsl::execute(diesel::sql_query(RECORD).bind::<Text, _>("Received"), conn)
                .unwrap();
            tell
        }))
        .unwrap();
    told.await.unwrap();
}

/// diesel-async as it comes: each statement a blocking task, each unit a commit.
async fn wrapped(conn: &Mutex<SyncConnectionWrapper<SqliteConnection>>) {
    let mut conn = conn.lock().await;
    conn.immediate_transaction(async |conn| {
        insert(&row()).execute(conn).await?;
        diesel::sql_query(RECORD).bind::<Text, _>("Received").execute(conn).await?;
        diesel::QueryResult::Ok(())
    })
    .await
    .unwrap();
}

async fn measure<F: Future<Output = ()>>(clients: usize, unit: impl Fn() -> F) -> f64 {
    let begun = Instant::now();
    let done = join_all((0..clients).map(|_| async {
        let mut count = 0_u32;
        while begun.elapsed() < RUN {
            unit().await;
            count += 1;
        }
        count
    }))
    .await;
    f64::from(done.iter().sum::<u32>()) / begun.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    println!("units/s                          1 client   64 clients");
    let databases = Databases::open(&[("TestDB", fresh(directory.path(), "a.db"))]).unwrap();
    let one = measure(1, || on_the_spot(&databases)).await;
    print("async source, on the spot", [one, measure(64, || on_the_spot(&databases)).await]);
    let thread = start_closures(&fresh(directory.path(), "b.db"));
    let one = measure(1, || closure(&thread)).await;
    print("sync closures, own thread", [one, measure(64, || closure(&thread)).await]);
    let path = fresh(directory.path(), "c.db");
    let conn = SyncConnectionWrapper::<SqliteConnection>::establish(&path.to_string_lossy()).await.unwrap();
    let conn = Arc::new(Mutex::new(conn));
    let one = measure(1, || wrapped(&conn)).await;
    print("diesel-async's wrapper", [one, measure(64, || wrapped(&conn)).await]);
}

fn print(name: &str, rates: [f64; 2]) {
    println!("{name:<30} {:>10.0} {:>12.0}", rates[0], rates[1]);
}
