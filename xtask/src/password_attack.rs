//! Measures the effect of a password attack on other users.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::bench::process;
use crate::cargo::cargo;
use crate::server::{PASSWORD, Server, hostler};

/// Wrong passwords per second.
const ATTEMPTS_PER_SECOND: u32 = 50;
/// Connections of the attacker, so that slow responses do not slow down the attack.
const ATTACKERS: u32 = 25;
/// Requests per second of each measured kind.
const PROBES_PER_SECOND: u32 = 20;
const VICTIM: &str = "owner";
const BYSTANDER: &str = "bystander";
const USER_PASSWORD: &str = "Kalmar-Union-1397";

/// Measures without and with an attack, this number of seconds each, and prints a table.
pub fn run(flags: &[String]) -> Result<()> {
    let seconds = match flags {
        [] => 60,
        [flag, value] if flag == "--seconds" => value.parse().context("--seconds needs a number")?,
        _ => bail!("attack has only the option --seconds S"),
    };
    ensure!((5..=600).contains(&seconds), "--seconds takes 5 to 600");
    let built = cargo().args(["build", "--release", "--package", "hostler", "--bin", "hostler"]).status()?;
    ensure!(built.success(), "the release build failed");
    let target = std::env::current_exe()?.ancestors().nth(2).context("the target directory")?.to_owned();
    let folder = TempDir::with_prefix_in("attack-", &target)?;
    measure(&target.join("release/hostler"), folder.path(), Duration::from_secs(seconds))
}

fn measure(binary: &Path, folder: &Path, duration: Duration) -> Result<()> {
    let mut command = hostler(binary, &folder.join("data"));
    command.args(["--log", "error"]);
    let server = Server::start(&mut command, &folder.join("server.log"))?;
    let base = server.base.as_str();
    let admin = basic("admin", PASSWORD);
    for name in [VICTIM, BYSTANDER] {
        send(base, "/api/v2/users/", &admin, json!({"username": name, "password": USER_PASSWORD}))?;
    }
    let token = |name: &str| -> Result<String> {
        let made = send(base, "/api/v2/tokens/", &basic(name, USER_PASSWORD), json!({"scope": "write"}))?;
        Ok(format!("Bearer {}", made["token"].as_str().context("no token")?))
    };
    let probes = [
        Probe::new("the owner's session", "Cookie", &session(base, VICTIM)?),
        Probe::new("the owner's token", "Authorization", &token(VICTIM)?),
        Probe::new("another user's session", "Cookie", &session(base, BYSTANDER)?),
        Probe::new("another user's password, remembered", "Authorization", &basic(BYSTANDER, USER_PASSWORD)),
    ];
    println!("measuring for {} s without an attack", duration.as_secs());
    let (quiet, quiet_logins, _) = phase(base, &probes, duration, false);
    println!("measuring for {} s under {ATTEMPTS_PER_SECOND} wrong passwords a second", duration.as_secs());
    let before = process::processor_time(server.id())?;
    let (loud, loud_logins, guesses) = phase(base, &probes, duration, true);
    let spent = process::processor_time(server.id())? - before;
    println!("\n| Request | p50 ms | p99 ms | most ms | p50 ms, attacked | p99 ms, attacked | most ms, attacked |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for ((probe, quiet), loud) in probes.iter().zip(&quiet).zip(&loud) {
        println!("| GET /api/v2/me/, {} | {} | {} |", probe.name, three(quiet), three(loud));
    }
    println!(
        "| another user logging in, the password remembered | {} | {} |",
        three(&quiet_logins),
        three(&loud_logins)
    );
    println!(
        "\nOf {} guesses {} were checked and {} refused unchecked; the server used {:.2} of a processor and {:.0} MB.",
        guesses.sent.load(Ordering::Relaxed),
        guesses.checked.load(Ordering::Relaxed),
        guesses.refused.load(Ordering::Relaxed),
        spent / duration.as_secs_f64(),
        process::memory(server.id(), "VmHWM")?,
    );
    Ok(())
}

/// A kind of request, sent repeatedly.
struct Probe {
    name: &'static str,
    header: &'static str,
    value: String,
}

impl Probe {
    fn new(name: &'static str, header: &'static str, value: &str) -> Self {
        Probe { name, header, value: value.to_owned() }
    }
}

#[derive(Default)]
struct Attempts {
    sent: AtomicUsize,
    checked: AtomicUsize,
    refused: AtomicUsize,
}

fn agent() -> Agent {
    let config = Agent::config_builder().proxy(None).max_redirects(0).http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(60))).build().new_agent()
}

/// Sends all probes and logins for a while; returns the sorted response times in milliseconds.
fn phase(base: &str, probes: &[Probe], duration: Duration, attacks: bool) -> (Vec<Vec<f64>>, Vec<f64>, Attempts) {
    let (is_over, guesses) = (AtomicBool::new(false), Attempts::default());
    let (times, logins) = scope(|scope| {
        let threads: Vec<_> = probes
            .iter()
            .map(|probe| {
                scope.spawn(|| {
                    let agent = agent();
                    repeat(&is_over, PROBES_PER_SECOND, || {
                        let request = agent.get(format!("{base}/api/v2/me/")).header(probe.header, &probe.value);
                        request.call().is_ok_and(|answer| answer.status() == 200)
                    })
                })
            })
            .collect();
        let logins = scope.spawn(|| repeat(&is_over, 1, || session(base, BYSTANDER).is_ok()));
        for attacker in 0..if attacks { ATTACKERS } else { 0 } {
            let (is_over, guesses) = (&is_over, &guesses);
            scope.spawn(move || attack(base, attacker, is_over, guesses));
        }
        sleep(duration);
        is_over.store(true, Ordering::Relaxed);
        let times = threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect();
        (times, logins.join().unwrap_or_default())
    });
    (times, logins, guesses)
}

/// Calls `act` at this rate, and returns the duration of each call. A failed call counts as infinite.
fn repeat(is_over: &AtomicBool, per_second: u32, mut act: impl FnMut() -> bool) -> Vec<f64> {
    let mut times = vec![];
    let mut next = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let took = if act() { start.elapsed().as_secs_f64() * 1000.0 } else { f64::INFINITY };
        times.push(took);
        next += Duration::from_secs(1) / per_second;
        sleep(next.saturating_duration_since(Instant::now()));
    }
    times.sort_by(f64::total_cmp);
    times
}

fn attack(base: &str, attacker: u32, is_over: &AtomicBool, guesses: &Attempts) {
    let agent = agent();
    let mut number = 0;
    let pause = Duration::from_secs(1) * ATTACKERS / ATTEMPTS_PER_SECOND;
    let mut next = Instant::now() + pause * attacker / ATTACKERS;
    while !is_over.load(Ordering::Relaxed) {
        sleep(next.saturating_duration_since(Instant::now()));
        next += pause;
        number += 1;
        let authorization = basic(VICTIM, &format!("wrong-{attacker}-{number}"));
        guesses.sent.fetch_add(1, Ordering::Relaxed);
        match agent.get(format!("{base}/api/v2/me/")).header("Authorization", authorization).call() {
            Ok(answer) if answer.status() == 429 => guesses.refused.fetch_add(1, Ordering::Relaxed),
            Ok(answer) if answer.status() == 401 => guesses.checked.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn send(base: &str, path: &str, authorization: &str, body: Json) -> Result<Json> {
    let request = agent().post(format!("{base}{path}")).header("Authorization", authorization);
    let mut answer = request.header("Content-Type", "application/json").send(body.to_string())?;
    ensure!(answer.status() == 201, "{path} answered {}", answer.status());
    Ok(serde_json::from_slice(&answer.body_mut().read_to_vec()?)?)
}

/// The cookie of a new session.
fn session(base: &str, name: &str) -> Result<String> {
    // Any CSRF token is accepted that is the same in the cookie and in the header.
    let token = "A".repeat(43);
    let request = agent().post(format!("{base}/api/login/")).header("Cookie", format!("csrftoken={token}"));
    let request = request.header("X-CSRFToken", &token).header("Content-Type", "application/x-www-form-urlencoded");
    let answer = request.send(format!("username={name}&password={USER_PASSWORD}"))?;
    ensure!(answer.status() == 302, "logging in answered {}", answer.status());
    let cookies = answer.headers().get_all("Set-Cookie").iter().filter_map(|value| value.to_str().ok());
    let session = cookies.filter_map(|cookie| cookie.split(';').next()).find(|pair| pair.starts_with("awx_sessionid="));
    session.map(str::to_owned).context("no session")
}

/// The median, the 99th percentile, and the maximum.
fn three(times: &[f64]) -> String {
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    format!("{:.1} | {:.1} | {:.1}", at(0.5), at(0.99), at(1.0))
}
