//! Work that takes long enough for others to notice goes to a thread of its own.

use std::sync::Arc;

use diracx_db::DbError;

use crate::error::Result;

/// Texts of so many bytes are worked on at once: a thread of their own would take longer.
const LITTLE: usize = 128 << 10;

/// Does something that takes as long as so many bytes of text do. It is told whether its caller still waits.
pub(crate) async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> Result<T> {
    if bytes <= LITTLE {
        return Ok(work(&|| true));
    }
    // Whoever drops this future, at a deadline or because the client hung up, drops this.
    let waiting = Arc::new(());
    let heard = Arc::downgrade(&waiting);
    let done = tokio::task::spawn_blocking(move || work(&|| heard.strong_count() > 0)).await;
    drop(waiting);
    Ok(done.map_err(|_| DbError::Panicked)?)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_told_so() {
        let (tell, told) = mpsc::channel();
        let work = aside(LITTLE + 1, move |wanted| {
            while wanted() {
                std::thread::yield_now();
            }
            tell.send(()).unwrap();
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
        tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(30)).unwrap())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn work_has_an_answer_wherever_it_is_done() {
        for bytes in [0, LITTLE + 1] {
            assert!(aside(bytes, |wanted| wanted()).await.unwrap());
        }
    }
}
