//! The operator socket: one JSON object per line from a permitted user, one reply line each.
//!
//! This file moves lines; what an operation does is the [`Desk`]'s business. Operations are done one
//! after another on a blocking thread; a status is given beside them, so that it never waits for a slow HSM.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use wire::operator::{MAX_LINE, Op, Reply, Request};
use wire::{Problem, ProblemType};

use super::desk::Desk;
use super::status::StatusSource;
use crate::service::process::Shutdown;
use crate::service::unix::{AllowedUsers, BoundSocket};

/// The most connections at once: 16 holders and some operators.
const MAX_CONNECTIONS: usize = 64;
/// A connection on which nothing is said is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct OperatorSocket {
    pub(crate) desk: Arc<Desk>,
    pub(crate) status: Arc<StatusSource>,
    pub(crate) users: AllowedUsers,
}

impl OperatorSocket {
    /// Serves until shutdown is requested.
    pub(crate) async fn serve(self, socket: BoundSocket, shutdown: Shutdown) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = shutdown.requested() => return,
            };
            let stream = match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an operator's connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let uid = match self.users.admit(&stream) {
                Ok(uid) => uid,
                Err(error) => {
                    tracing::warn!(%error, "an operator's connection is refused");
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                tracing::warn!("too many operators' connections");
                continue;
            };
            let this = self.clone();
            tokio::spawn(async move {
                this.converse(stream, uid).await;
                drop(slot);
            });
        }
    }

    async fn converse(self, stream: UnixStream, uid: u32) {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read);
        while let Some(line) = next_line(&mut lines).await {
            let reply = match line {
                Ok(line) => self.answer(&line, uid).await,
                Err(problem) => Reply::problem(0, problem),
            };
            if send(&mut write, &reply).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, line: &[u8], uid: u32) -> Reply {
        let Request { id, op } = match Request::parse(line) {
            Ok(request) => request,
            Err(problem) => return Reply::problem(0, problem),
        };
        let (desk, status) = (Arc::clone(&self.desk), Arc::clone(&self.status));
        let work = tokio::task::spawn_blocking(move || match op {
            Op::Status {} => Ok(serde_json::to_value(status.report()).expect("plain JSON")),
            op => desk.perform(op, uid),
        });
        let result = work.await.unwrap_or_else(|panic| {
            tracing::error!(%panic, "an operation failed within");
            Err(Problem::new(
                ProblemType::Internal,
                "the operation failed; the log says where",
            ))
        });
        Reply { id, result }
    }
}

/// The next line, `None` at the end; a line beyond the limit ends the connection after its refusal.
async fn next_line(lines: &mut BufReader<OwnedReadHalf>) -> Option<Result<Vec<u8>, Problem>> {
    let mut line = Vec::new();
    let mut limited = lines.take(MAX_LINE as u64 + 1);
    let read = tokio::time::timeout(IDLE_TIMEOUT, limited.read_until(b'\n', &mut line)).await;
    match read {
        Ok(Ok(1..)) if line.ends_with(b"\n") => Some(Ok(line)),
        Ok(Ok(1..)) if line.len() > MAX_LINE => {
            let detail = format!("the line is longer than {MAX_LINE} bytes");
            Some(Err(Problem::new(ProblemType::TooLarge, detail)))
        }
        // Closed, closed within a line, or silent for too long.
        _ => None,
    }
}

async fn send(write: &mut OwnedWriteHalf, reply: &Reply) -> std::io::Result<()> {
    write.write_all(&reply.to_line()).await
}
