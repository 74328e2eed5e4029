//! The second factor: codes of an authenticator app (RFC 6238).

use std::time::{SystemTime, UNIX_EPOCH};

use hostler_testkit::browser::{Browser, SESSION_COOKIE};
use hostler_testkit::pages::PageBrowser;
use hostler_testkit::{Backend, Client, PASSWORD, Response, TestServer, TestUser, on_each_backend};
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};

on_each_backend!(
    device_is_active_after_verification,
    login_asks_for_code_in_second_step,
    login_accepts_code_with_password,
    code_is_single_use,
    password_alone_is_rejected,
    mfa_challenge_alone_is_rejected,
    recovery_code_is_single_use,
    recovery_codes_are_regenerated,
    disabling_requires_password_and_code,
    form_that_disables_leads_to_second_factor,
    admin_can_only_disable_second_factor,
    wrong_codes_are_rate_limited,
    second_factor_requires_local_password,
    secrets_are_not_recorded_or_stored,
    command_line_disables_second_factor,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// The code of the device, this number of steps from now. Of the codes that are valid at a time, the server accepts
/// each later one once.
fn code(secret: &str, steps: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "a device has its own clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    let secret = Secret::try_from_base32(secret).expect("Base32");
    let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(secret).build().expect("a device");
    totp.generate(now.saturating_add_signed(30 * steps)).to_string()
}

/// A user with a second factor, the secret of the device, the recovery codes, and a token.
struct Armed {
    person: TestUser,
    path: String,
    token: Client,
    secret: String,
    recovery: Vec<String>,
}

fn begin(person: &TestUser) -> String {
    let begun = person.client.post(&format!("{}second_factor/", person.path()), json!({"password": PASSWORD}));
    begun.expect(201).json()["secret"].as_str().expect("a secret").to_owned()
}

fn arm(server: &TestServer, name: &str) -> Armed {
    let person = server.user(name);
    let (path, token) = (format!("{}second_factor/", person.path()), person.token("write"));
    let secret = begin(&person);
    let verified = token.post(&format!("{path}verify/"), json!({"code": code(&secret, -1)})).expect(200).json();
    let recovery = verified["recovery_codes"].as_array().expect("codes").iter();
    let recovery = recovery.map(|code| code.as_str().expect("a text").to_owned()).collect();
    Armed { person, path, token, secret, recovery }
}

impl Armed {
    /// Resets the used codes, so that no test waits for the next one.
    fn forget_steps(&self, server: &TestServer) {
        server.execute("UPDATE second_factors SET last_step = 0");
    }

    fn state(&self) -> Value {
        self.token.get(&self.path).expect(200).json()
    }
}

fn challenge(page: &Response) -> String {
    let text = page.text();
    let rest =
        text.split_once("name=\"mfa_challenge\" value=\"").unwrap_or_else(|| panic!("no step for a code in {page}")).1;
    rest.split_once('"').expect("an end").0.to_owned()
}

fn has_session(browser: &Browser) -> bool {
    browser.cookies.contains_key(SESSION_COOKIE) && browser.get("/api/v2/me/").status == 200
}

fn device_is_active_after_verification(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let path = format!("{}second_factor/", ann.path());
    let none = ann.client.get(&path).expect(200).json();
    assert_eq!((&none["enabled"], &none["created"]), (&json!(false), &json!(null)));
    for wrong in [json!({}), json!({"password": ""}), json!({"password": "wrong"}), json!({"password": 5})] {
        let refused = ann.client.post(&path, wrong).expect(400);
        assert!(refused.json()["password"].is_array(), "{refused}");
    }
    ann.client.post(&format!("{path}verify/"), json!({"code": "123456"})).expect(400);
    let begun = ann.client.post(&path, json!({"password": PASSWORD})).expect(201).json();
    let (secret, uri) = (begun["secret"].as_str().expect("a secret"), begun["uri"].as_str().expect("an address"));
    assert!(uri.starts_with("otpauth://totp/Hostler:ann?") && uri.contains(secret), "{uri}");
    // The second factor is not enabled yet, so that a user who does not finish is not locked out.
    ann.client.get("/api/v2/me/").expect(200);
    assert_eq!(ann.client.get(&path).expect(200).json()["enabled"], false);
    let again = begin(&ann);
    assert_ne!(again, secret, "the same secret for two devices");
    let old = ann.client.post(&format!("{path}verify/"), json!({"code": code(secret, 0)})).expect(400);
    assert!(old.json()["code"].is_array(), "{old}");
    let (here, there) = (Browser::logged_in(&server, "ann", PASSWORD), Browser::logged_in(&server, "ann", PASSWORD));
    let verify = here.write("POST", &format!("{path}verify/")).json(json!({"code": code(&again, 0)}));
    let codes = verify.send().expect(200).json();
    assert_eq!(codes["recovery_codes"].as_array().map(Vec::len), Some(10), "{codes}");
    assert!(has_session(&here) && !has_session(&there), "a session that was opened without a code outlived it");
    let state = here.get(&path).expect(200).json();
    assert_eq!((&state["enabled"], &state["recovery_codes_left"]), (&json!(true), &json!(10)));
    assert!(!state.to_string().contains(&again), "{state}");
    let sign_in = here.get(&format!("{}sign_in/", ann.path())).expect(200).json();
    assert_eq!((&sign_in["second_factor"], &sign_in["recovery_codes_left"]), (&json!(true), &json!(10)));
    here.write("POST", &path).json(json!({"password": PASSWORD})).send().expect(400);
}

fn login_asks_for_code_in_second_step(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let mut browser = Browser::open(&server);
    let fields = [("username", "ann"), ("password", PASSWORD), ("next", "/api/v2/users/")];
    let asked = browser.log_in(&fields).expect(401);
    assert!(!has_session(&browser));
    assert!(asked.text().contains("name=\"otp\"") && !asked.text().contains(PASSWORD), "{asked}");
    let challenge = challenge(&asked);
    let mut send =
        |code: &str| browser.log_in(&[("mfa_challenge", &challenge), ("otp", code), ("next", "/api/v2/users/")]);
    let wrong = send("000000").expect(401);
    assert!(wrong.text().contains("wrong, too old") && wrong.text().contains("name=\"otp\""), "{wrong}");
    let done = send(&code(&ann.secret, 0)).expect(302);
    assert_eq!(done.header("Location").as_deref(), Some("/api/v2/users/"));
    assert!(has_session(&browser));
}

fn login_accepts_code_with_password(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let log_in = |password: &str, otp: &str| {
        Browser::open(&server).log_in(&[("username", "ann"), ("password", password), ("otp", otp)])
    };
    log_in("wrong", &code(&ann.secret, 0)).expect(401);
    log_in(PASSWORD, "000000").expect(401);
    log_in(PASSWORD, "").expect(401);
    log_in(PASSWORD, &code(&ann.secret, 0)).expect(302);
    // Without the right password, a user with a second factor looks like any other.
    server.user("bob");
    let wrong = |name: &str| {
        let mut browser = Browser::open(&server);
        browser.cookies.insert("csrftoken".to_owned(), "A".repeat(43));
        let answer = browser.log_in(&[("username", name), ("password", "wrong"), ("otp", "123456")]).expect(401);
        // The form keeps the username.
        answer.text().replace(&format!("value=\"{name}\""), "")
    };
    assert_eq!(wrong("ann"), wrong("bob"));
    assert_eq!(wrong("ann"), wrong("nobody"));
    let by_basic = |name: &str| server.as_user(name, "wrong").get("/api/v2/me/").expect(401).text();
    assert_eq!(by_basic("ann"), by_basic("bob"));
}

fn code_is_single_use(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let log_in = |server: &TestServer, otp: &str| {
        Browser::open(server).log_in(&[("username", "ann"), ("password", PASSWORD), ("otp", otp)]).status
    };
    // The code that verified the device is used.
    assert_eq!(log_in(&server, &code(&ann.secret, -1)), 401);
    let current = code(&ann.secret, 0);
    assert_eq!(log_in(&server, &current), 302);
    let there = server.start_second();
    assert_eq!((log_in(&server, &current), log_in(&there, &current)), (401, 401));
    assert_eq!(log_in(&there, &code(&ann.secret, 1)), 302);
    // A code older than the last one is rejected.
    assert_eq!(log_in(&server, &code(&ann.secret, 0)), 401);
    ann.forget_steps(&server);
    for far in [-3, 3] {
        assert_eq!(log_in(&server, &code(&ann.secret, far)), 401, "{far} steps away");
    }
}

fn password_alone_is_rejected(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let refused = ann.person.client.get("/api/v2/me/").expect(401);
    assert!(refused.json()["detail"].as_str().is_some_and(|text| text.contains("second factor")), "{refused}");
    assert!(refused.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Bearer")), "{refused}");
    // Twice, because right passwords are cached.
    ann.person.client.get("/api/v2/me/").expect(401);
    ann.person.client.post("/api/v2/tokens/", json!({"scope": "write"})).expect(401);
    ann.token.get("/api/v2/me/").expect(200);
    let organization = server.organization("Acme");
    let application = server.as_admin().post(
        "/api/v2/applications/",
        json!({
            "name": "app", "organization": organization, "client_type": "confidential",
            "authorization_grant_type": "password",
        }),
    );
    let application = application.expect(201).json();
    let word = |name: &str| application[name].as_str().expect("a text").to_owned();
    let body = format!(
        "grant_type=password&username=ann&password={PASSWORD}&client_id={}&client_secret={}",
        word("client_id"),
        word("client_secret")
    );
    let call = server
        .anonymous()
        .request("POST", "/api/o/token/")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body)
        .send();
    assert_eq!(call.expect(400).json()["error"], "invalid_grant");
}

fn mfa_challenge_alone_is_rejected(backend: Backend) {
    let server = start(backend);
    let (ann, bob) = (arm(&server, "ann"), server.user("bob"));
    let mut browser = Browser::open(&server);
    let asked = browser.log_in(&[("username", "ann"), ("password", PASSWORD)]).expect(401);
    let token = challenge(&asked);
    let current = code(&ann.secret, 0);
    for forged in
        ["", "x", &token.replacen(&format!("{}.", ann.person.id), &format!("{}.", bob.id), 1), &format!("{token}0")]
    {
        browser.log_in(&[("mfa_challenge", forged), ("otp", &current)]).expect(401);
    }
    let mut foreign = browser.clone();
    foreign.cookies.clear();
    foreign.log_in(&[("mfa_challenge", &token), ("otp", &current)]).expect(403);
    // A new password and disabling the user end the challenge.
    server.as_admin().patch(&ann.person.path(), json!({"password": "Another-Word-1"})).expect(200);
    browser.log_in(&[("mfa_challenge", &token), ("otp", &current)]).expect(401);
    let asked = browser.log_in(&[("username", "ann"), ("password", "Another-Word-1")]).expect(401);
    let token = challenge(&asked);
    server.as_admin().patch(&ann.person.path(), json!({"is_active": false})).expect(200);
    browser.log_in(&[("mfa_challenge", &token), ("otp", &current)]).expect(401);
    server.as_admin().patch(&ann.person.path(), json!({"is_active": true})).expect(200);
    browser.log_in(&[("mfa_challenge", &token), ("otp", &current)]).expect(302);
}

fn recovery_code_is_single_use(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let log_in =
        |otp: &str| Browser::open(&server).log_in(&[("username", "ann"), ("password", PASSWORD), ("otp", otp)]).status;
    assert_eq!(log_in(&ann.recovery[0].to_uppercase().replace('-', "")), 302);
    assert_eq!(log_in(&ann.recovery[0]), 401);
    assert_eq!(log_in(&ann.recovery[1]), 302);
    assert_eq!(ann.state()["recovery_codes_left"], 8);
    let other = arm(&server, "bob");
    assert_eq!(log_in(&other.recovery[0]), 401, "the code of another user");
}

fn recovery_codes_are_regenerated(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let path = format!("{}recovery_codes/", ann.path);
    let good = || json!({"password": PASSWORD, "code": code(&ann.secret, 0)});
    for (missing, field) in [("password", "password"), ("code", "code")] {
        let mut body = good();
        body[missing] = json!("");
        let refused = ann.token.post(&path, &body).expect(400);
        assert!(refused.json()[field].is_array(), "{refused}");
    }
    ann.token.post(&path, json!({"password": "wrong", "code": code(&ann.secret, 0)})).expect(400);
    let made = ann.token.post(&path, good()).expect(200).json();
    let made: Vec<&str> = made["recovery_codes"].as_array().expect("codes").iter().filter_map(Value::as_str).collect();
    assert_eq!(made.len(), 10);
    let log_in =
        |otp: &str| Browser::open(&server).log_in(&[("username", "ann"), ("password", PASSWORD), ("otp", otp)]).status;
    assert_eq!((log_in(&ann.recovery[0]), log_in(made[0])), (401, 302));
}

fn disabling_requires_password_and_code(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let path = format!("{}disable/", ann.path);
    for body in [
        json!({"password": PASSWORD}),
        json!({"code": code(&ann.secret, 0)}),
        json!({"password": PASSWORD, "code": "000000"}),
        json!({"password": "wrong", "code": code(&ann.secret, 0)}),
    ] {
        ann.token.post(&path, body).expect(400);
    }
    ann.token.delete(&ann.path).expect(403);
    assert_eq!(ann.state()["enabled"], true);
    ann.token.post(&path, json!({"password": PASSWORD, "code": code(&ann.secret, 0)})).expect(204);
    assert_eq!(ann.state()["enabled"], false);
    ann.person.client.get("/api/v2/me/").expect(200);
    ann.token.post(&path, json!({"password": PASSWORD, "code": code(&ann.secret, 1)})).expect(400);
}

/// The path of the form answers only POST.
fn form_that_disables_leads_to_second_factor(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let browser = PageBrowser::new(&server);
    let login = [("username", "ann"), ("password", PASSWORD), ("otp", ann.recovery[0].as_str())];
    browser.get("/api/login/").expect(200);
    browser.form("/api/login/", &login).expect(302);
    let content = json!({"password": PASSWORD, "code": code(&ann.secret, 0)}).to_string();
    let fields = [("_method", "POST"), ("_content", content.as_str())];
    let done = browser.form(&format!("{}disable/", ann.path), &fields).expect(303);
    assert_eq!(done.header("Location").as_deref(), Some(ann.path.as_str()));
    assert!(browser.get(&ann.path).expect(200).text().contains("&quot;enabled&quot;"), "{backend}");
}

fn admin_can_only_disable_second_factor(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let home = server.organization("home");
    let (boss, member, root) = (server.user("boss"), server.user("member"), arm(&server, "root"));
    let auditor = server.user_with("auditor", json!({"is_system_auditor": true}));
    server.add_member(home, &ann.person);
    server.add_member(home, &member);
    server.add_admin(home, &boss);
    server.as_admin().patch(&root.person.path(), json!({"is_superuser": true})).expect(200);
    for client in [&boss.client, &server.as_admin(), &auditor.client] {
        client.get(&ann.path).expect(200);
        for (below, body) in [
            ("", json!({"password": PASSWORD})),
            ("verify/", json!({"code": code(&ann.secret, 0)})),
            ("recovery_codes/", json!({"password": PASSWORD, "code": code(&ann.secret, 0)})),
            ("disable/", json!({"password": PASSWORD, "code": code(&ann.secret, 0)})),
        ] {
            client.post(&format!("{}{below}", ann.path), body).expect(403);
        }
    }
    for client in [&member.client, &auditor.client, &boss.token("read"), &ann.token] {
        client.delete(&ann.path).expect(403);
    }
    member.client.get(&ann.path).expect(403);
    boss.client.delete(&root.path).expect(403);
    assert_eq!(ann.state()["enabled"], true);
    boss.client.delete(&ann.path).expect(204);
    assert_eq!(ann.state()["enabled"], false);
    ann.person.client.get("/api/v2/me/").expect(200);
    // A second removal is not an error.
    boss.client.delete(&ann.path).expect(204);
}

fn wrong_codes_are_rate_limited(backend: Backend) {
    let server = start(backend);
    server.configure("authentication", json!({"LOGIN_FAILURES_UNTIL_LOCK": 4, "LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let ann = arm(&server, "ann");
    let mut browser = Browser::open(&server);
    let asked = browser.log_in(&[("username", "ann"), ("password", PASSWORD)]).expect(401);
    let token = challenge(&asked);
    for number in 0..4 {
        browser.log_in(&[("mfa_challenge", &token), ("otp", &format!("00000{number}"))]).expect(401);
    }
    let refused = browser.log_in(&[("mfa_challenge", &token), ("otp", &code(&ann.secret, 0))]).expect(429);
    assert!(refused.header("Retry-After").is_some(), "{refused}");
    let disable = json!({"password": PASSWORD, "code": code(&ann.secret, 0)});
    ann.token.post(&format!("{}disable/", ann.path), disable).expect(429);
}

fn second_factor_requires_local_password(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let token = ann.token("write");
    server.execute("UPDATE users SET external_account = 'ldap' WHERE username = 'ann'");
    let refused = token.post(&format!("{}second_factor/", ann.path()), json!({"password": PASSWORD}));
    assert_eq!(refused.status, 400, "{refused}");
}

fn secrets_are_not_recorded_or_stored(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let used = code(&ann.secret, 0);
    Browser::open(&server)
        .log_in(&[("username", "ann"), ("password", PASSWORD), ("otp", &ann.recovery[0])])
        .expect(302);
    ann.token.post(&format!("{}disable/", ann.path), json!({"password": PASSWORD, "code": used})).expect(204);
    let entries = server.as_admin().results(&format!("{}activity_stream/?order_by=id", ann.person.path()));
    let changes: Vec<&Value> =
        entries.iter().map(|entry| &entry["changes"]).filter(|c| c.get("username").is_none()).collect();
    let expected = [
        json!({"second_factor": [false, true]}),
        json!({"recovery_code": ["hidden", null]}),
        json!({"second_factor": [true, false]}),
    ];
    for wanted in &expected {
        assert!(changes.contains(&wanted), "{wanted} is not in {changes:?}");
    }
    let log = server.stderr();
    let shown = format!("{entries:?}{log}");
    for secret in [&ann.secret, &ann.recovery[0], &ann.recovery[0].replace('-', ""), &PASSWORD.to_owned()] {
        assert!(!shown.contains(secret.as_str()), "{secret} was shown");
    }
    if backend == Backend::Sqlite {
        let other = arm(&server, "bob");
        for file in std::fs::read_dir(server.data()).expect("the data").flatten().filter(|file| file.path().is_file()) {
            let stored = String::from_utf8_lossy(&std::fs::read(file.path()).expect("a file")).into_owned();
            for secret in [&other.secret, &other.recovery[0], &other.recovery[0].replace('-', "")] {
                assert!(!stored.contains(secret.as_str()), "{} holds a secret", file.path().display());
            }
        }
    }
}

fn command_line_disables_second_factor(backend: Backend) {
    let server = start(backend);
    let ann = arm(&server, "ann");
    let mut command = hostler_testkit::command(env!("CARGO_BIN_EXE_hostler"));
    command.args(["user", "reset-second-factor", "ann"]).env("HOSTLER_DATA", server.data());
    if let Some(url) = server.database_url() {
        command.env("HOSTLER_DATABASE", url);
    }
    let done = command.output().expect("the binary runs");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(ann.state()["enabled"], false);
    ann.person.client.get("/api/v2/me/").expect(200);
}
