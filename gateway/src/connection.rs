//! A connection that must say something soon, and must not fall silent for ever.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// Told when the first request of a connection has arrived.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstRequest(Arc<AtomicBool>);

impl FirstRequest {
    /// The request is there.
    pub(crate) fn arrived(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream that fails when no request arrives in time, or when nothing is read or written for long.
///
/// The HTTP library watches the headers of every later request; what it does not watch is a connection that
/// sends less than it takes to tell HTTP/1 from HTTP/2.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    inner: T,
    first: FirstRequest,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    moved: bool,
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, first: FirstRequest, patience: Duration, idle: Duration) -> Self {
        Self { inner, first, idle, timer: Box::pin(tokio::time::sleep(patience)), moved: false }
    }

    /// Fails once the time is over. Whatever moved since the timer was set gives another span of it.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            if !self.first.0.load(Ordering::Relaxed) || !self.moved {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.moved = false;
            let next = Instant::now() + self.idle;
            self.timer.as_mut().reset(next);
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if polled.is_ready() {
            self.moved = true;
            return polled;
        }
        match self.check(context) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.moved |= polled.is_ready();
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.moved |= polled.is_ready();
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);
    const IDLE: Duration = Duration::from_secs(180);

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_half_a_request_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut watched = Watched::new(server, FirstRequest::default(), PATIENCE, IDLE);
        client.write_all(b"PRI").await.unwrap();
        let started = Instant::now();
        let mut read = Vec::new();
        assert_eq!(watched.read_to_end(&mut read).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!((read.as_slice(), started.elapsed().as_secs()), (&b"PRI"[..], 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_requests_lives_until_it_falls_silent() {
        let (mut client, server) = tokio::io::duplex(64);
        let first = FirstRequest::default();
        let mut watched = Watched::new(server, first.clone(), PATIENCE, IDLE);
        first.arrived();
        let talking = tokio::spawn(async move {
            for _ in 0..10 {
                client.write_all(b".").await.unwrap();
                tokio::time::sleep(Duration::from_secs(100)).await;
            }
            client
        });
        let mut read = Vec::new();
        assert_eq!(watched.read_to_end(&mut read).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(read.len(), 10);
        drop(talking.await);
    }
}
