//! The replay of a case against a running server.

use std::thread::sleep;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::case::{Case, Step};
use super::compare::{Difference, Got, Verdict, compare};
use super::python::{dig, head, text};
use super::repository;
use super::symbols::Symbols;
use crate::client::{Client, Response};
use crate::server::{ADMIN, ADMIN_PASSWORD};

/// What must be encoded in the recorded paths, which are written for people.
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

/// How a step with a recorded answer went.
#[derive(Debug)]
pub struct Outcome {
    /// The number of the step in its case, from 1.
    pub number: usize,
    /// Its method and path, as recorded.
    pub request: String,
    /// How close the answer was.
    pub verdict: Verdict,
    /// What differed.
    pub differences: Vec<Difference>,
}

/// Replays a case; `anonymous` names the server, whose superuser is that of
/// every test server.
pub fn replay(anonymous: &Client, case: &Case) -> Vec<Outcome> {
    let marks = uuid::Uuid::new_v4().simple().to_string();
    let mut run = Run { anonymous, symbols: Symbols::new(&format!("r{}", &marks[..9])), repository: None };
    let mut outcomes = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        let got = run.step(step);
        if step.expect.is_some() {
            let (verdict, differences) = compare(step, &got);
            let request = format!("{} {}", step.method, step.path);
            outcomes.push(Outcome { number: index + 1, request, verdict, differences });
        }
    }
    outcomes
}

struct Run<'a> {
    anonymous: &'a Client,
    symbols: Symbols,
    /// Kept until the end of the case: the server clones it whenever it likes.
    repository: Option<TempDir>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Got {
        if step.body.to_string().contains("{repo}") && !self.symbols.knows("repo") {
            let folder = repository::make();
            self.symbols.save("repo", Value::from(format!("file://{}", folder.path().display())), None);
            self.repository = Some(folder);
        }
        self.wait(step);
        let answer = self.send(step);
        let body = body_of(&answer);
        self.save(step, &body);
        let mut faded = self.symbols.fade(&body, step.method == "OPTIONS");
        if !step.pick.is_empty() {
            faded = pick(&faded, &step.pick);
        }
        let kept = step.headers_kept.iter().map(|name| {
            let value = answer.header(name).filter(|value| !value.is_empty());
            (name.clone(), value.map_or(Value::Null, Value::from))
        });
        Got { status: answer.status, body: faded, headers: kept.collect() }
    }

    fn admin(&self) -> Client {
        self.anonymous.with_password(ADMIN, ADMIN_PASSWORD)
    }

    fn wait(&self, step: &Step) {
        let Some(until) = &step.until else { return };
        let deadline = Instant::now() + Duration::from_secs(step.timeout);
        while Instant::now() < deadline {
            let body = body_of(&self.admin().get(&self.path(step)));
            if dig(&body, &until.field).is_some_and(|value| until.values.contains(value)) {
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
        let caller = self.caller(&step.who);
        let mut call = caller.request(&step.method, &path);
        call = match self.symbols.fill(&step.body) {
            Value::Null => call,
            Value::String(raw) => call.body(raw).header("Content-Type", "application/json"),
            body => call.json(body),
        };
        for (name, value) in &step.headers {
            call = call.header(name, &text(&self.symbols.fill(value)));
        }
        call.send()
    }

    fn caller(&self, who: &Value) -> Client {
        let filled = |key: &str| text(&self.symbols.fill(&who[key]));
        match who {
            Value::Null => self.anonymous.clone(),
            Value::String(name) if name == "admin" => self.admin(),
            Value::Object(who) if who.contains_key("bearer") => self.anonymous.with_token(&filled("bearer")),
            Value::Object(_) => self.anonymous.with_password(&filled("username"), &filled("password")),
            other => panic!("a step is made by {other}"),
        }
    }

    fn save(&mut self, step: &Step, body: &Value) {
        for (name, place) in &step.save {
            let place = place.as_str().expect("a symbol is saved from a place");
            let holder = place.rsplit_once('.').map_or(Some(body), |(holder, _)| dig(body, holder));
            match (holder, dig(body, place)) {
                (Some(holder), Some(value)) => {
                    let url = holder.get("url").and_then(Value::as_str);
                    self.symbols.save(name, value.clone(), url);
                }
                _ => self.symbols.save_missing(name),
            }
        }
    }
}

fn body_of(answer: &Response) -> Value {
    if answer.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!({"<not json>": head(&answer.text(), 2000)}))
}

fn pick(faded: &Value, places: &[String]) -> Value {
    let pick = |place: &String| {
        let value = dig(faded, place).cloned().unwrap_or_else(|| Value::from("<missing>"));
        (place.clone(), value)
    };
    Value::Object(places.iter().map(pick).collect::<Map<_, _>>())
}
