//! A server with two organizations, users, applications, and a browser.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;
use hostler_testkit::browser::FORM;
use hostler_testkit::{Backend, Client, PageBrowser, Response, TestServer, backends};
use serde_json::{Value, json};

/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The redirect URI of the applications.
pub const CALLBACK: &str = "https://app.example/cb?keep=1";
pub const PASSWORD: &str = "Sekret-Pw1";

/// A running server. Ann is admin of Acme and Bob its member; Eve is admin of Evil.
pub struct OauthFixture {
    pub server: TestServer,
    pub admin: Client,
    pub acme: i64,
    pub evil: i64,
}

/// An application with its secret.
pub struct Application {
    pub id: i64,
    pub client_id: String,
    pub secret: String,
}

/// Runs a test on each backend.
pub fn each(test: impl Fn(&OauthFixture)) {
    for backend in backends() {
        test(&OauthFixture::new(backend));
    }
}

impl OauthFixture {
    pub fn new(backend: Backend) -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
        let admin = server.as_admin();
        let organization = |name: &str| {
            admin.post("/api/v2/organizations/", json!({"name": name})).expect(201).json()["id"]
                .as_i64()
                .expect("an id")
        };
        let (acme, evil) = (organization("Acme"), organization("Evil"));
        for (name, organization, role) in [("ann", acme, "admins"), ("bob", acme, "users"), ("eve", evil, "admins")] {
            let user = json!({"username": name, "password": PASSWORD});
            admin.post(&format!("/api/v2/organizations/{organization}/{role}/"), user).expect(201);
        }
        OauthFixture { server, admin, acme, evil }
    }

    pub fn user(&self, name: &str) -> Client {
        self.server.as_user(name, PASSWORD)
    }

    /// Creates an application of Acme with these additional fields.
    pub fn application(&self, client_type: &str, grant: &str, more: Value) -> Application {
        let mut body = json!({
            "name": format!("{client_type} {grant} {more}").chars().take(250).collect::<String>(),
            "organization": self.acme, "client_type": client_type, "authorization_grant_type": grant,
            "redirect_uris": CALLBACK,
        });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            body[key] = value;
        }
        Application::of(&self.admin.post("/api/v2/applications/", body).expect(201).json())
    }

    /// Sets the lifetimes, in seconds.
    pub fn lifetimes(&self, access: i64, code: i64, refresh: i64) {
        let values = json!({"OAUTH2_PROVIDER": {
            "ACCESS_TOKEN_EXPIRE_SECONDS": access, "AUTHORIZATION_CODE_EXPIRE_SECONDS": code,
            "REFRESH_TOKEN_EXPIRE_SECONDS": refresh,
        }});
        self.admin.patch("/api/v2/settings/authentication/", values).expect(200);
    }

    /// What a token may do: nothing (401), read, or write.
    pub fn reach(&self, token: &str) -> &'static str {
        let client = self.server.with_token(token);
        match client.get("/api/v2/me/").status {
            401 => return "nothing",
            status => assert_eq!(status, 200),
        }
        // Without a name no label is created.
        match client.post("/api/v2/labels/", json!({})).status {
            403 if client.options("/api/v2/tokens/").expect(200).json()["actions"]["POST"].is_null() => "read",
            _ => "write",
        }
    }

    /// A request to the token endpoint.
    pub fn token(&self, pairs: &[(&str, &str)]) -> Response {
        form(&self.server.anonymous(), "/api/o/token/", pairs)
    }

    /// Sends the same request six times simultaneously to the token endpoint; returns the statuses.
    pub fn all_at_once(&self, pairs: &[(&str, &str)]) -> Vec<u16> {
        let client = &self.server.anonymous();
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..6).map(|_| scope.spawn(move || form(client, "/api/o/token/", pairs).status)).collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        })
    }

    /// An authorization code for this user, who consents.
    pub fn code(&self, user: &str, application: &Application, more: &[(&str, &str)]) -> String {
        let browser = Browser::new(self);
        browser.login(user);
        browser.consent(application, more)
    }

    /// The tokens for a code.
    pub fn tokens_of(&self, user: &str, application: &Application, scope: &str) -> Value {
        let code = self.code(user, application, &[("scope", scope)]);
        self.token(&application.prove(&[("grant_type", "authorization_code"), ("code", &code)])).expect(200).json()
    }
}

impl Application {
    pub fn of(json: &Value) -> Self {
        Application {
            id: json["id"].as_i64().expect("an id"),
            client_id: json["client_id"].as_str().expect("a client id").to_owned(),
            secret: json["client_secret"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// The parameters with the application's client id and secret.
    pub fn prove<'a>(&'a self, pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut all = pairs.to_vec();
        all.push(("client_id", &self.client_id));
        if !self.secret.is_empty() {
            all.push(("client_secret", &self.secret));
        }
        all
    }
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// POST of a form.
pub fn form(client: &Client, path: &str, pairs: &[(&str, &str)]) -> Response {
    let body = encode(pairs);
    client.request("POST", path).header("Content-Type", FORM).body(body).send()
}

/// Fails unless the endpoint responded with this error of RFC 6749.
pub fn refused(answer: Response, status: u16, error: &str) {
    let answer = answer.expect(status);
    assert_eq!(answer.json()["error"], error, "{answer}");
    assert!(answer.header("Cache-Control").expect("Cache-Control").contains("no-store"));
}

/// The decoded parameters of a redirect to the application, without its own.
pub fn sent_back(answer: &Response) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 302, "{answer}");
    let location = answer.header("Location").expect("a Location");
    let query = location.strip_prefix(&format!("{CALLBACK}&")).unwrap_or_else(|| panic!("sent to {location}"));
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A browser that applications redirect to the authorization endpoint.
pub struct Browser(PageBrowser);

impl Browser {
    pub fn new(fixture: &OauthFixture) -> Self {
        Browser(PageBrowser::new(&fixture.server))
    }

    pub fn cookie(&self, name: &str) -> String {
        self.0.cookie(name)
    }

    pub fn get(&self, path: &str) -> Response {
        self.0.get(path)
    }

    pub fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Response {
        self.0.raw_form(path, pairs)
    }

    pub fn login(&self, user: &str) {
        self.0.log_in(user, PASSWORD);
    }

    pub fn ask(&self, application: &Application, more: &[(&str, &str)]) -> Response {
        self.get(&format!("/api/o/authorize/?{}", encode(&request(application, more))))
    }

    /// Opens the consent page and sends its form with this decision.
    pub fn decide(&self, application: &Application, more: &[(&str, &str)], decision: &str) -> Response {
        let page = self.ask(application, more).expect(200).text();
        let mut sent: Vec<(String, String)> = page
            .split("<input type=\"hidden\" name=\"")
            .skip(1)
            .map(|rest| {
                let (name, rest) = rest.split_once("\" value=\"").expect("a value");
                (name.to_owned(), hostler_testkit::pages::unescaped(rest.split_once('"').expect("its end").0))
            })
            .collect();
        sent.push(("decision".to_owned(), decision.to_owned()));
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("/api/o/authorize/", &sent)
    }

    pub fn consent(&self, application: &Application, more: &[(&str, &str)]) -> String {
        sent_back(&self.decide(application, more, "allow"))["code"].clone()
    }
}

/// An authorization request; an empty value omits the parameter.
pub fn request<'a>(application: &'a Application, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![("response_type", "code"), ("client_id", application.client_id.as_str())];
    pairs.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    pairs.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    pairs
}
