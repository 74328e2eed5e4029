//! Traces of requests, sent to a collector in this test.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, Response, TestServer, on_each_backend};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use serde_json::json;

on_each_backend!(request_creates_span);

/// One request to the collector.
#[derive(Clone)]
struct Sent {
    /// The request's line and headers.
    head: Vec<String>,
    content: ExportTraceServiceRequest,
}

struct Collector {
    address: String,
    sent: Receiver<Sent>,
    seen: RefCell<Vec<Sent>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let (sender, sent) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || receive(stream, &sender));
            }
        });
        Collector { address, sent, seen: RefCell::default() }
    }

    fn server(&self, backend: Backend, more: &[(&str, &str)]) -> TestServer {
        start(backend, &[&[("HOSTLER_OTLP_ENDPOINT", self.address.as_str())], more].concat())
    }

    /// The span of this response, and its export request.
    fn span_of(&self, answer: &Response) -> (Span, Sent) {
        let id = id_of(answer);
        loop {
            for sent in &*self.seen.borrow() {
                if let Some(span) = sent.spans().find(|span| attributes(&span.attributes)["hostler.request.id"] == id) {
                    return (span.clone(), sent.clone());
                }
            }
            let sent = self.sent.recv_timeout(Duration::from_secs(60)).expect("a span of the request");
            self.seen.borrow_mut().push(sent);
        }
    }
}

impl Sent {
    fn spans(&self) -> impl Iterator<Item = &Span> {
        self.content.resource_spans.iter().flat_map(|one| &one.scope_spans).flat_map(|one| &one.spans)
    }
}

fn receive(stream: TcpStream, sender: &Sender<Sent>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = vec![];
        for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            head.push(line.to_ascii_lowercase());
        }
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        let Some(length) = length else { return };
        let mut body = vec![0; length.parse().expect("a length")];
        reader.read_exact(&mut body).expect("a body");
        let content = ExportTraceServiceRequest::decode(body.as_slice()).expect("traces");
        // The test may have ended.
        let _ = sender.send(Sent { head, content });
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if reader.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

fn start(backend: Backend, environment: &[(&str, &str)]) -> TestServer {
    // Without a proxy, and with short batch delays.
    let environment = [environment, &[("NO_PROXY", "127.0.0.1"), ("OTEL_BSP_SCHEDULE_DELAY", "50")]].concat();
    TestServer::start_with(env!("CARGO_BIN_EXE_hostler"), backend, &environment)
}

fn id_of(answer: &Response) -> String {
    answer.header("X-API-Request-Id").expect("an id")
}

fn attributes(found: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    found.iter().map(|pair| (pair.key.as_str(), text(&pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn request_creates_span(backend: Backend) {
    let collector = Collector::start();
    let more = [("OTEL_EXPORTER_OTLP_HEADERS", "x-key=tellnobody"), ("OTEL_RESOURCE_ATTRIBUTES", "zone=here")];
    let server = collector.server(backend, &more);
    let admin = server.as_admin();
    let answer = admin.get("/api/v2/users/?username=noquery&page_size=2").expect(200);
    let patched = admin.patch("/api/v2/users/1/", json!({"first_name": "nobody's business"})).expect(200);
    let lost = server.anonymous().request("TRACE", "/tea").send().expect(404);
    let (span, sent) = collector.span_of(&answer);
    assert_eq!(sent.head[0], "post /v1/traces http/1.1");
    assert!(sent.head.contains(&"x-key: tellnobody".to_owned()), "{:?}", sent.head);
    let resource = sent.content.resource_spans[0].resource.as_ref().expect("a resource");
    let resource = attributes(&resource.attributes);
    for (key, value) in [("service.name", "hostler"), ("service.instance.id", "awx-1"), ("zone", "here")] {
        assert_eq!(resource[key], value);
    }

    assert_eq!(span.name, "GET /api/v2/users/");
    assert_eq!(span.kind, i32::from(SpanKind::Server as u8));
    assert_eq!(hex(&span.trace_id), id_of(&answer));
    assert!(span.parent_span_id.is_empty() && span.end_time_unix_nano > span.start_time_unix_nano, "{span:?}");
    let expected = BTreeMap::from([
        ("client.address", "127.0.0.1".to_owned()),
        ("hostler.database.statements", answer.queries().to_string()),
        ("hostler.request.id", id_of(&answer)),
        ("http.request.method", "GET".to_owned()),
        ("http.response.status_code", "200".to_owned()),
        ("http.route", "/api/v2/users/".to_owned()),
        ("url.path", "/api/v2/users/".to_owned()),
        ("url.scheme", "http".to_owned()),
    ]);
    assert_eq!(attributes(&span.attributes), expected);

    let (span, _) = collector.span_of(&patched);
    assert_eq!(span.name, "PATCH /api/v2/users/{id}/");
    let (span, _) = collector.span_of(&lost);
    assert_eq!((span.name.as_str(), attributes(&span.attributes)["http.request.method"].as_str()), ("HTTP", "_OTHER"));
    assert!(span.status.is_none_or(|status| status.code() == StatusCode::Unset), "it is the client's mistake");
}

#[test]
fn traceparent_is_continued() {
    let collector = Collector::start();
    let server = collector.server(Backend::Sqlite, &[]);
    let ask = |parent: &str| {
        server.anonymous().request("GET", "/api/v2/ping/").header("traceparent", parent).send().expect(200)
    };
    let unsampled = ask("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    let sampled = ask("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let nonsense = ask("00-nonsense");
    let (span, _) = collector.span_of(&sampled);
    assert_eq!(hex(&span.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&span.parent_span_id), "b7ad6b7169203331");
    assert_eq!(hex(&collector.span_of(&nonsense).0.trace_id), id_of(&nonsense));
    for sent in &*collector.seen.borrow() {
        assert!(sent.spans().all(|span| attributes(&span.attributes)["hostler.request.id"] != id_of(&unsampled)));
    }
}

#[test]
fn spans_are_flushed_at_shutdown() {
    let collector = Collector::start();
    let mut server = collector.server(Backend::Sqlite, &[]);
    let answer = server.anonymous().get("/api/v2/ping/").expect(200);
    assert!(server.stop().success());
    collector.span_of(&answer);
}

#[test]
fn spans_contain_no_secrets() {
    let collector = Collector::start();
    let mut server = collector.server(Backend::Sqlite, &[]);
    let token = server.as_admin().post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
    let token = token["token"].as_str().expect("a token").to_owned();
    server.with_token(&token).get(&format!("/api/v2/me/?search={token}")).expect(200);
    server.as_user(ADMIN, "not the password").get("/api/v2/me/").expect(401);
    assert!(server.stop().success());
    let mut count = 0;
    // The server sends all spans before it exits.
    while let Ok(sent) = collector.sent.recv_timeout(Duration::from_millis(100)) {
        count += sent.spans().count();
        let bytes = sent.content.encode_to_vec();
        for secret in [token.as_str(), ADMIN_PASSWORD, "not the password", "search"] {
            assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{secret}");
        }
    }
    assert_eq!(count, 3);
}

#[test]
fn unreachable_collector_is_logged_once() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let address = format!("http://{gone}");
    let mut server = start(Backend::Sqlite, &[("HOSTLER_OTLP_ENDPOINT", &address)]);
    for _ in 0..3 {
        server.anonymous().get("/api/v2/ping/").expect(200);
    }
    server.wait_for_log(&["WARN", "spans could not be exported", "dropped=", "refused"]);
    assert!(server.stop().success());
}

#[test]
fn invalid_collector_url_is_rejected() {
    for (address, words) in [
        ("127.0.0.1:4318", "is not the URL of a collector"),
        ("http://me:tellnobody@127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
    ] {
        let folder = tempfile::TempDir::new().expect("a directory");
        let mut command = hostler_testkit::command(env!("CARGO_BIN_EXE_hostler"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--otlp-endpoint", address, "--data"]).arg(folder.path());
        let output = command.output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
        assert!(stderr.contains(words) && !stderr.contains("tellnobody"), "{stderr}");
    }
}
