//! Copies bytes between a client and an engine.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// How long an answer may still arrive after the client has closed its end.
pub(super) const PARTING: Duration = Duration::from_secs(5);

/// Carries bytes both ways until either side ends.
pub(super) async fn carry(
    client: &mut UnixStream,
    mut from_engine: impl AsyncRead + Unpin,
    mut to_engine: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let up = async {
        let copied = tokio::io::copy(&mut from_client, &mut to_engine).await;
        let _ = to_engine.shutdown().await;
        // A pipe is only shut by closing it.
        drop(to_engine);
        copied
    };
    let down = tokio::io::copy(&mut from_engine, &mut to_client);
    let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
    let ended = tokio::select! {
        // The engine has closed the connection; nothing would read further data of the client.
        ended = &mut down => ended,
        ended = &mut up => match ended {
            Ok(_) => tokio::time::timeout(PARTING, down).await.unwrap_or(Ok(0)),
            // Why it does not listen any more may be on its way.
            failed => tokio::time::timeout(PARTING, down).await.unwrap_or(Ok(0)).and(failed),
        },
    };
    ended.map(drop)
}
