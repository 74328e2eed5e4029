//! The replay of a case against a running server.

use std::thread::sleep;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use sha1::Sha1;
use sha2::Sha256;
use tempfile::TempDir;

use super::case::{Case, Sign, SignAlgorithm, Step};
use super::compare::{Actual, Difference, Verdict, compare, inconsistencies};
use super::python::{lookup, text, truncate};
use super::repository;
use super::sink::Sink;
use super::symbols::{Normalize, Symbols};
use crate::client::{Client, Response};
use crate::server::{ADMIN, ADMIN_PASSWORD};

/// The method of steps that read what the sink received.
const SINK: &str = "SINK";
/// The final statuses of a job: waiting for another status ends with them.
const ENDED: &[&str] = &["successful", "failed", "error", "canceled"];
/// How long an `until` step waits by default.
const UNTIL_TIMEOUT: u64 = 180;
/// How long a `SINK` step waits by default.
const SINK_TIMEOUT: u64 = 60;
/// How long an `until` step retries error responses, and projects without an update.
const HOPELESS_TIMEOUT: Duration = Duration::from_secs(3);

/// What is percent-encoded in the recorded paths.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'/')
    .remove(b'?')
    .remove(b'&')
    .remove(b'=')
    .remove(b'%')
    .remove(b':')
    .remove(b'@')
    .remove(b'+')
    .remove(b',')
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'[')
    .remove(b']')
    .remove(b'$')
    .remove(b';');

/// The outcome of a step with a recorded response.
#[derive(Debug)]
pub struct Outcome {
    /// The number of the step in its case, from 1.
    pub number: usize,
    /// Its method and path, as recorded.
    pub request: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// How close the response is.
    pub verdict: Verdict,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// Replays a case; `anonymous` is a client of the server with the superuser of all test servers.
pub fn replay(anonymous: &Client, case: &Case) -> Vec<Outcome> {
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    let symbols = Symbols::new(&format!("r{}", &suffix[..9]));
    let mut run = Run { anonymous, symbols, repositories: Vec::new(), sink: None };
    let mut outcomes = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        let actual = run.step(step);
        if step.expect.is_some() {
            let (verdict, differences) = compare(step, &actual);
            let request = format!("{} {}", step.method, step.path);
            outcomes.push(Outcome { number: index + 1, request, status: actual.status, verdict, differences });
        }
    }
    outcomes
}

struct Run<'a> {
    anonymous: &'a Client,
    symbols: Symbols,
    /// Kept until the end of the case, because the server may clone them at any time.
    repositories: Vec<TempDir>,
    sink: Option<Sink>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Actual {
        self.provide(step);
        if step.method == SINK {
            return self.read_sink(step);
        }
        self.wait(step);
        let response = self.send(step);
        let body = body_of(&response);
        self.save(step, &body);
        let options = Normalize { is_options: step.method == "OPTIONS", keeps_times: step.exact };
        let normalized = pick(self.symbols.normalize(&body, options), &step.pick);
        let kept = step.headers_kept.iter().map(|name| {
            let value = response.header(name).filter(|value| !value.is_empty());
            (name.clone(), value.map_or(Value::Null, |value| Value::from(without_number(&value))))
        });
        let inconsistencies = inconsistencies(&body);
        Actual { status: response.status, body: normalized, headers: kept.collect(), inconsistencies }
    }

    /// Creates the repositories and the sink that a step uses.
    fn provide(&mut self, step: &Step) {
        let body = step.body.to_string();
        for (name, make) in [("repo", repository::small as fn() -> TempDir), ("rich", repository::rich)] {
            if body.contains(&format!("{{{name}}}")) && !self.symbols.contains(name) {
                let folder = make();
                self.symbols.save(name, Value::from(format!("file://{}", folder.path().display())), None);
                self.repositories.push(folder);
            }
        }
        if (body.contains("{sink}") || step.method == SINK) && self.sink.is_none() {
            let sink = Sink::start();
            self.symbols.save("sink", Value::from(sink.url.as_str()), None);
            self.sink = Some(sink);
        }
    }

    fn read_sink(&self, step: &Step) -> Actual {
        let sink = self.sink.as_ref().expect("a sink was started");
        let timeout = Duration::from_secs(step.timeout.unwrap_or(SINK_TIMEOUT));
        let received = sink.wait(&self.symbols.fill_text(&step.path), step.at_least, timeout, &step.keep);
        let body = pick(self.symbols.normalize(&received, Normalize::default()), &step.pick);
        Actual { status: 200, body, headers: Map::new(), inconsistencies: Vec::new() }
    }

    fn admin(&self) -> Client {
        self.anonymous.with_password(ADMIN, ADMIN_PASSWORD)
    }

    fn wait(&self, step: &Step) {
        let Some(until) = &step.until else { return };
        let path = self.path(step);
        // The number for which AWX waited in vain, too.
        let recorded = step.expect.as_ref().and_then(|expected| expected.body.get(&until.field));
        let never_came = recorded.is_some_and(|value| value.is_number() && !until.values.contains(value));
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(step.timeout.unwrap_or(UNTIL_TIMEOUT)) {
            let response = self.admin().get(&path);
            let body = body_of(&response);
            let value = lookup(&body, &until.field);
            let is_ended =
                until.field == "status" && value.and_then(Value::as_str).is_some_and(|status| ENDED.contains(&status));
            // An object that does not exist, or an unimplemented feature, will not appear later.
            let is_hopeless = response.status == 501
                || path.contains("missing-")
                || ((response.status >= 400 || value.is_some_and(|value| value == "never updated"))
                    && start.elapsed() > HOPELESS_TIMEOUT)
                || (never_came && start.elapsed() > HOPELESS_TIMEOUT);
            if is_ended || is_hopeless || value.is_some_and(|value| until.values.contains(value)) {
                return;
            }
            sleep(Duration::from_millis(500));
        }
    }

    fn path(&self, step: &Step) -> String {
        utf8_percent_encode(&self.symbols.fill_text(&step.path), ENCODED).to_string()
    }

    fn send(&self, step: &Step) -> Response {
        let path = self.path(step);
        let client = self.client(&step.caller);
        let mut request = client.request(&step.method, &path);
        let body = self.symbols.fill(&step.body);
        for (name, value) in &step.headers {
            request = request.header(name, &text(&self.symbols.fill(value)));
        }
        if let Some(sign) = &step.sign {
            let body = body.as_str().expect("a signed body is text");
            request = request.header(&sign.header, &self.signature(sign, body));
        }
        // A recorded content type replaces the usual one.
        let is_typed = step.headers.keys().any(|name| name.eq_ignore_ascii_case("Content-Type"));
        let body = match body {
            Value::Null => return request.send(),
            Value::String(raw) => raw.into_bytes(),
            body => serde_json::to_vec(&body).expect("a body that can be written as JSON"),
        };
        let request = if is_typed { request } else { request.header("Content-Type", "application/json") };
        request.body(body).send()
    }

    fn signature(&self, sign: &Sign, body: &str) -> String {
        sign.prefix.clone() + &signature(sign.algo, &self.symbols.fill_text(&sign.key), body)
    }

    fn client(&self, caller: &Value) -> Client {
        let filled = |key: &str| text(&self.symbols.fill(&caller[key]));
        match caller {
            Value::Null => self.anonymous.clone(),
            Value::String(name) if name == "admin" => self.admin(),
            Value::Object(caller) if caller.contains_key("bearer") => self.anonymous.with_token(&filled("bearer")),
            Value::Object(_) => self.anonymous.with_password(&filled("username"), &filled("password")),
            other => panic!("{other} sends no requests"),
        }
    }

    fn save(&mut self, step: &Step, body: &Value) {
        for (name, path) in &step.save {
            let path = path.as_str().expect("the path of a symbol");
            let parent = path.rsplit_once('.').map_or(Some(body), |(parent, _)| lookup(body, parent));
            match (parent, lookup(body, path)) {
                (Some(parent), Some(value)) => {
                    let url = parent.get("url").and_then(Value::as_str);
                    self.symbols.save(name, value.clone(), url);
                }
                _ => self.symbols.save_missing(name),
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A header without the number of a job, which is part of the names of downloads.
fn without_number(value: &str) -> String {
    super::python::replace_all(value, r"_\d+\.", "_#.")
}

fn body_of(response: &Response) -> Value {
    if response.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&response.body).unwrap_or_else(|_| json!({"<not json>": truncate(&response.text(), 2000)}))
}

/// These fields of a body, or all of it if none is named.
fn pick(body: Value, paths: &[String]) -> Value {
    if paths.is_empty() {
        return body;
    }
    let pick = |path: &String| {
        let value = lookup(&body, path).cloned().unwrap_or_else(|| Value::from("<missing>"));
        (path.clone(), value)
    };
    Value::Object(paths.iter().map(pick).collect::<Map<_, _>>())
}

/// The HMAC of a body under a key, in hexadecimal digits.
pub fn signature(algorithm: SignAlgorithm, key: &str, body: &str) -> String {
    match algorithm {
        SignAlgorithm::Sha1 => {
            let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("a key of any length");
            mac.update(body.as_bytes());
            hex(&mac.finalize().into_bytes())
        }
        SignAlgorithm::Sha256 => {
            let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length");
            mac.update(body.as_bytes());
            hex(&mac.finalize().into_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Address;

    #[test]
    fn signature_is_hmac_with_prefix() {
        let anonymous = Client::new(Address::new("http://127.0.0.1:0"));
        let mut symbols = Symbols::new("r1");
        symbols.save("key", json!("Jefe"), None);
        let run = Run { anonymous: &anonymous, symbols, repositories: vec![], sink: None };
        let sign = |algo: &str| -> Sign {
            let prefix = format!("{algo}=");
            serde_json::from_value(json!({"header": "X", "key": "{key}", "algo": algo, "prefix": prefix}))
                .expect("a signature")
        };
        // RFC 2202 and RFC 4231, test case 2.
        let body = "what do ya want for nothing?";
        assert_eq!(run.signature(&sign("sha1"), body), "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            run.signature(&sign("sha256"), body),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
