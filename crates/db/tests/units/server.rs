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
