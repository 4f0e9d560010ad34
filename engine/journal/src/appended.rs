//! The future of an append.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use crate::{Error, Receipt};

/// An append that may not be durable yet: resolves when it is, or when it is known that it won't be.
///
/// It needs no particular async runtime; a thread without one uses [`blocking_wait`](Self::blocking_wait).
#[must_use = "nothing may act on an append before it resolved"]
pub struct Appended(State);

enum State {
    Ready(Option<Result<Receipt, Error>>),
    Queued(oneshot::Receiver<Result<Receipt, Error>>),
    NoRoom(Pin<Box<dyn Future<Output = Result<Receipt, Error>> + Send>>),
}

impl Appended {
    /// An append that is decided already: for other implementations of [`Journal`](crate::Journal).
    pub fn ready(result: Result<Receipt, Error>) -> Self {
        Self(State::Ready(Some(result)))
    }

    pub(crate) fn queued(answer: oneshot::Receiver<Result<Receipt, Error>>) -> Self {
        Self(State::Queued(answer))
    }

    /// An append that waits for room in the queue first.
    pub fn later(future: impl Future<Output = Result<Receipt, Error>> + Send + 'static) -> Self {
        Self(State::NoRoom(Box::pin(future)))
    }

    /// Blocks this thread until the append is durable. Not for async tasks.
    ///
    /// # Errors
    ///
    /// As [`Journal::append`](crate::Journal::append).
    pub fn blocking_wait(mut self) -> Result<Receipt, Error> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(result) => return result,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Appended {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(result) => Poll::Ready(result.take().unwrap_or(Err(Error::Closed))),
            State::Queued(answer) => Pin::new(answer).poll(context).map(|answer| answer.unwrap_or(Err(Error::Closed))),
            State::NoRoom(future) => future.as_mut().poll(context),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
