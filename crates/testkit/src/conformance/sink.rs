//! A loopback HTTP server that records what it receives: the target of notifications and callbacks.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

/// One request that the sink received.
#[derive(Debug, Clone)]
struct Received {
    method: String,
    path: String,
    headers: HeaderMap,
    body: Value,
}

type Requests = Arc<Mutex<Vec<Received>>>;

/// The running server; it stops when dropped.
#[derive(Debug)]
pub(super) struct Sink {
    /// Its address, such as `http://127.0.0.1:40123`.
    pub url: String,
    requests: Requests,
    runtime: Option<Runtime>,
}

impl Sink {
    /// Starts the server on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a non-blocking socket");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Requests::default();
        let app = Router::new().fallback(record).with_state(Arc::clone(&requests));
        let runtime = Runtime::new().expect("a runtime");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, app).await
        });
        Self { url, requests, runtime: Some(runtime) }
    }

    /// Waits until this number of requests to a path arrived, or until the timeout. Returns all of them as a list, each
    /// with its method, path, body and the named headers.
    pub fn wait(&self, path: &str, at_least: usize, timeout: Duration, headers: &[String]) -> Value {
        let deadline = Instant::now() + timeout;
        loop {
            let received: Vec<_> = self.received().into_iter().filter(|it| it.path == path).collect();
            if received.len() >= at_least || Instant::now() > deadline {
                return received.iter().map(|it| describe(it, headers)).collect();
            }
            sleep(Duration::from_millis(200));
        }
    }

    fn received(&self) -> Vec<Received> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn describe(received: &Received, headers: &[String]) -> Value {
    let mut fields = Map::from_iter([
        ("method".to_owned(), Value::from(received.method.as_str())),
        ("path".to_owned(), Value::from(received.path.as_str())),
        ("body".to_owned(), received.body.clone()),
    ]);
    for name in headers {
        let value = received.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        fields.insert(name.clone(), value.map_or(Value::Null, Value::from));
    }
    Value::Object(fields)
}

/// Responds with 404 below `/gone`, a redirect below `/moved`, and 200 on other paths.
async fn record(
    State(requests): State<Requests>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = match serde_json::from_slice(&body) {
        _ if body.is_empty() => Value::Null,
        Ok(json) => json,
        Err(_) => Value::from(String::from_utf8_lossy(&body)),
    };
    let response = if path.starts_with("/gone") {
        (StatusCode::NOT_FOUND, "ok").into_response()
    } else if path.starts_with("/moved") {
        (StatusCode::FOUND, [(header::LOCATION, format!("/landed{path}"))], "ok").into_response()
    } else {
        "ok".into_response()
    };
    let received = Received { method: method.to_string(), path, headers, body };
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(received);
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::{Address, Client};

    #[test]
    fn sink_returns_received_requests_of_a_path() {
        let sink = Sink::start();
        let client = Client::new(Address::new(&sink.url));
        client.request("POST", "/hook?x=1").header("X-Key", "k").json(json!({"a": 1})).send().expect(200);
        client.request("PUT", "/hook?x=1").body("text").send().expect(200);
        client.get("/gone/away").expect(404);
        assert_eq!(client.get("/moved/a").expect(302).header("Location").as_deref(), Some("/landed/moved/a"));
        let received = sink.wait("/hook?x=1", 2, Duration::from_secs(30), &["x-key".to_owned()]);
        let expected = json!([
            {"method": "POST", "path": "/hook?x=1", "body": {"a": 1}, "x-key": "k"},
            {"method": "PUT", "path": "/hook?x=1", "body": "text", "x-key": null},
        ]);
        assert_eq!(received, expected);
        assert_eq!(sink.wait("/other", 1, Duration::ZERO, &[]), json!([]));
    }
}
