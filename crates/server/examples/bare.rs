//! The yardstick of `cargo xtask bench`: the same web framework answering every
//! request with the same bytes from memory, after reading the request's body.

use std::io::Write as _;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let Some(file) = std::env::args().nth(1) else {
        return Err(std::io::Error::other("say in which file the answer is"));
    };
    let answer = Bytes::from(std::fs::read(file)?);
    // To take `Bytes` is to read the body: a PATCH has one.
    let handler = move |_: Bytes| {
        let answer = answer.clone();
        async { ([(CONTENT_TYPE, "application/json")], answer) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "The bare handler is listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    axum::serve(listener, Router::new().fallback(handler)).await
}
