//! The connections of the API: how many there are at once, and how long they may take.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use super::socket::Socket;

/// Connections at once. More wait until one of them ends.
const CONNECTIONS_MAX: u32 = 256;

/// How long the head of a request may take to come; an idle connection ends after it too.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long a client may read nothing of an answer that is ready for it.
const UNREAD_TIME: Duration = Duration::from_secs(30);

/// What a connection buffers, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// How long it waits after a connection could not be accepted, for example because there are no descriptors left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// Answers connections until `closing` is done; returns when those that there are have ended.
pub(super) async fn serve(mut socket: Socket, router: Router, closing: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    let (close, closed) = watch::channel(());
    let accepting = async {
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            match socket.accept().await {
                Ok(stream) => {
                    let router = router.clone().layer(Extension(stream.peer_cred().ok()));
                    let closed = closed.clone();
                    tokio::spawn(async move {
                        connection(stream, router, closed).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = closing => {}
    }
    drop((socket, close));
    let _ = room.acquire_many(CONNECTIONS_MAX).await;
}

/// Answers the requests of one connection; once it is `closed`, only the one that has begun.
async fn connection(stream: UnixStream, router: Router, mut closed: watch::Receiver<()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(BUFFER_BYTES);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(UNREAD_TIME));
    let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = closed.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
