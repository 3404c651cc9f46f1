//! What only a database server can do to us.

use std::time::{Duration, Instant};

use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use diracx_db::{DbError, DbResult, Deadline};
use futures::FutureExt;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{CREATE, database, dialect, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_past_its_deadline_is_stopped_on_the_server() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    let begun = Instant::now();
    let slow: DbResult<usize> = databases
        .write(Deadline::after(Duration::from_millis(300)), |tx| {
            async move {
                Ok(diesel::sql_query("DO SLEEP(30) /* deadline-test */").execute(tx.on(0).await?).await?)
            }
            .boxed()
        })
        .await;
    assert!(matches!(slow, Err(DbError::DeadlineExceeded)), "{slow:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    #[derive(diesel::QueryableByName)]
    struct Running {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }
    // The kill is on its way; the server has it within moments.
    for attempt in 0.. {
        let running: Running = databases
            .read(Deadline::NONE, |tx| {
                async move {
                    let sql = "SELECT COUNT(*) AS number FROM information_schema.PROCESSLIST WHERE Info LIKE 'DO SLEEP%deadline-test%'";
                    DbResult::Ok(diesel::sql_query(sql).get_result(tx.on(0).await?).await?)
                }
                .boxed()
            })
            .await
            .unwrap();
        if running.number == 0 {
            break;
        }
        assert!(attempt < 100, "the statement still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Units end just when their time is up, and others follow on the only connection at once: who is stopped too late
/// must not take the next one with him.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_comes_too_late_does_not_hit_the_next_unit() {
    let db = database();
    let diracx_db::DbUrl::MySql(url) = db.url("TestDB").await else { panic!("not MySQL") };
    let databases = diracx_db::mysql::Databases::open(&[("TestDB", url)], 1).await.unwrap();
    let sleep = |deadline: Deadline, writes: bool| {
        let databases = databases.clone();
        async move {
            macro_rules! unit {
                () => {
                    |tx| {
                        let sleep = diesel::sql_query("DO SLEEP(0.02)");
                        async move { DbResult::Ok(sleep.execute(tx.on(0).await?).await?) }.boxed()
                    }
                };
            }
            if writes {
                databases.write(deadline, unit!()).await
            } else {
                databases.read(deadline, unit!()).await
            }
        }
    };
    let mut late = 0;
    for round in 0..60 {
        let deadline = Deadline::after(Duration::from_micros(19_500 + 50 * (round % 50)));
        let first = tokio::spawn(sleep(deadline, round % 2 == 0));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let second = sleep(Deadline::after(Duration::from_secs(10)), round % 3 == 0).await;
        second.unwrap_or_else(|error| panic!("round {round}: the next unit was stopped: {error}"));
        late += usize::from(first.await.unwrap().is_err());
    }
    assert!((5..60).contains(&late), "the race was not run: {late} of 60 units were late");
}

/// Whoever waits for a connection that another unit has waits as long as he likes: the database is not away.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_lent_connection_gets_it_however_long_it_takes() {
    let db = database();
    let diracx_db::DbUrl::MySql(url) = db.url("TestDB").await else { panic!("not MySQL") };
    let databases = diracx_db::mysql::Databases::open(&[("TestDB", url)], 1).await.unwrap();
    let sleep = |seconds| {
        let databases = databases.clone();
        tokio::spawn(async move {
            databases
                .read(Deadline::after(Duration::from_secs(seconds)), |tx| {
                    let sleep = diesel::sql_query("DO SLEEP(4)");
                    async move { DbResult::Ok(sleep.execute(tx.on(0).await?).await?) }.boxed()
                })
                .await
        })
    };
    let (first, second, impatient) = (sleep(20), sleep(20), sleep(1));
    assert!(matches!(impatient.await.unwrap(), Err(DbError::DeadlineExceeded)));
    for unit in [first, second] {
        unit.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_right_where_a_cluster_counts_in_steps() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    let ids = databases
        .write(Deadline::NONE, |tx| {
            async move {
                let conn = tx.on(0).await?;
                conn.batch_execute(CREATE).await?;
                conn.batch_execute("SET SESSION auto_increment_increment = 3").await?;
                conn.batch_execute("INSERT INTO Items (Name, Number) VALUES ('a', 0), ('b', 0), ('c', 0)")
                    .await?;
                let ids = dialect::inserted_ids(conn, 3).await?;
                conn.batch_execute("SET SESSION auto_increment_increment = DEFAULT").await?;
                DbResult::Ok(ids)
            }
            .boxed()
        })
        .await
        .unwrap();
    assert_eq!(ids.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(), [3, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closed_are_replaced() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    for _ in 0..3 {
        // Kills the very connection that goes back to the pool.
        let _: DbResult<usize> = databases
            .read(Deadline::NONE, |tx| {
                async move {
                    Ok(diesel::sql_query("KILL CONNECTION_ID()").execute(tx.on(0).await?).await.unwrap_or(0))
                }
                .boxed()
            })
            .await;
        databases.ping(Deadline::after(Duration::from_secs(5))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_unavailable_and_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("mysql://root@{closed}/nowhere");
    let databases = diracx_db::mysql::Databases::open(&[("JobDB", url)], 4).await.unwrap();
    let error = databases.ping(Deadline::after(Duration::from_secs(10))).await.unwrap_err();
    assert_eq!(error.to_string(), "Cannot connect to JobDB");
}

/// A way to the database server that can fall silent. What was connected then stays silent for ever.
async fn way_to(url: &str) -> (String, watch::Sender<bool>) {
    let start = url.rfind('@').unwrap() + 1;
    let end = start + url[start..].find('/').unwrap();
    let server = url[start..end].to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{}{}{}", &url[..start], listener.local_addr().unwrap(), &url[end..]);
    let (silence, silent) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (server, mut silent) = (server.clone(), silent.clone());
            tokio::spawn(async move {
                let mut far = TcpStream::connect(server).await.unwrap();
                tokio::select! {
                    biased;
                    () = async { drop(silent.wait_for(|silent| *silent).await) } => {}
                    _ = copy_bidirectional(&mut near, &mut far) => return,
                }
                std::future::pending::<()>().await;
            });
        }
    });
    (url, silence)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_back_when_it_answers_again() {
    let db = database();
    let diracx_db::DbUrl::MySql(url) = db.url("TestDB").await else { panic!("not MySQL") };
    let (url, silence) = way_to(&url).await;
    let databases = diracx_db::mysql::Databases::open(&[("JobDB", url)], 2).await.unwrap();
    let ping = |seconds| databases.ping(Deadline::after(Duration::from_secs(seconds)));
    ping(5).await.unwrap();
    silence.send_replace(true);
    let begun = Instant::now();
    let results = futures::future::join_all((0..4).map(|_| ping(1))).await;
    assert!(results.iter().all(Result::is_err), "{results:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    silence.send_replace(false);
    while let Err(error) = ping(2).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
    }
}

/// A way to the database server that can be cut, so that what was connected is closed and nothing new is let in.
struct Way {
    address: std::net::SocketAddr,
    server: String,
    open: Option<tokio::task::JoinSet<()>>,
}

impl Way {
    /// The way, and the URL of the database at its end.
    async fn to(url: &str) -> (Self, String) {
        let start = url.rfind('@').unwrap() + 1;
        let end = start + url[start..].find('/').unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut way = Self { address, server: url[start..end].to_owned(), open: None };
        way.mend().await;
        (way, format!("{}{address}{}", &url[..start], &url[end..]))
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let server = self.server.clone();
        let mut open = tokio::task::JoinSet::new();
        open.spawn(async move {
            let mut under_way = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let server = server.clone();
                under_way.spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        self.open = Some(open);
    }

    async fn cut(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.shutdown().await;
        }
    }
}

fn short_statement(tx: &mut diracx_db::mysql::Tx) -> futures::future::BoxFuture<'_, DbResult<()>> {
    async move { Ok(tx.on(0).await?.batch_execute("DO SLEEP(0.05)").await?) }.boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_turned_away_once_the_server_is_back() {
    let db = database();
    let diracx_db::DbUrl::MySql(url) = db.url("TestDB").await else { panic!("not MySQL") };
    let (mut way, url) = Way::to(&url).await;
    let databases = diracx_db::mysql::Databases::open(&[("JobDB", url)], 8).await.unwrap();
    let patient = Deadline::after(Duration::from_secs(60));
    let units = || {
        futures::future::join_all((0..16).map(|number| {
            let databases = databases.clone();
            async move {
                if number % 2 == 0 {
                    databases.read(patient, short_statement).await
                } else {
                    databases.write(patient, short_statement).await
                }
            }
        }))
    };
    assert!(units().await.iter().all(Result::is_ok), "all connections are made and used");

    for away in [false, true] {
        way.cut().await;
        if away {
            let refused = databases.ping(Deadline::after(Duration::from_secs(10))).await.unwrap_err();
            assert_eq!(refused.to_string(), "Cannot connect to JobDB");
        }
        way.mend().await;
        let done = units().await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }
}
