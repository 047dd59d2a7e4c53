//! Patience with a caller who does not read: an answer that the other side does not take within a time ends the connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection whose answers must be taken within a time, each as a whole.
pub(super) struct Patient<S> {
    inner: S,
    patience: Duration,
    /// When what is being written must have been taken; set by the first wait, cleared when all is out.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(inner: S, patience: Duration) -> Self {
        Patient { inner, patience, deadline: None }
    }

    /// Passes a result on; a wait goes on only until the deadline.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            let until = Instant::now() + self.patience;
            let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(until)));
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.in_time(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The HTTP library flushes when it has written all it has: only then does the time of this answer end.
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        if polled.is_ready() {
            self.deadline = None;
        }
        self.in_time(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.in_time(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.in_time(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_a_byte_at_a_time_ends_with_the_patience() {
        let (ours, mut theirs) = duplex(16);
        let reader = tokio::spawn(async move {
            while theirs.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        let (mut patient, begun) = (Patient::new(ours, PATIENCE), Instant::now());
        let refused = patient.write_all(&[b'x'; 1000]).await.unwrap_err();
        assert_eq!((refused.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, PATIENCE));
        drop(patient);
        reader.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_are_taken_in_time_may_go_on_for_ever() {
        let (ours, mut theirs) = duplex(16);
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Ok(1..) = theirs.read_buf(&mut all).await {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            all.len()
        });
        let mut patient = Patient::new(ours, PATIENCE);
        for _ in 0..20 {
            patient.write_all(&[b'x'; 48]).await.unwrap();
            patient.flush().await.unwrap();
        }
        drop(patient);
        assert_eq!(reader.await.unwrap(), 960);
    }
}
