//! The authorization endpoint and its consent page.

use hostler_testkit::pages::unescaped;
use serde_json::json;

use crate::oauth::fixture::{Browser, CALLBACK, CHALLENGE, each, encode, request, sent_back};

#[test]
fn consent_redirects_with_code() {
    each(|fixture| {
        let name = "Tool <script>alert(1)</script>";
        let application = fixture.application("confidential", "authorization-code", json!({"name": name}));
        let browser = Browser::new(fixture);

        // Without a session the login form comes first, and redirects back.
        let asked = browser.ask(&application, &[("state", "a b&c"), ("redirect_uri", CALLBACK)]).expect(302);
        let login = asked.header("Location").expect("a Location");
        assert!(login.starts_with("/api/login/?next=%2Fapi%2Fo%2Fauthorize%2F%3F"), "{login}");
        browser.get(&login).expect(200);
        let next = form_urlencoded::parse(login.split_once('?').expect("a query").1.as_bytes())
            .find(|(key, _)| key == "next")
            .map(|(_, value)| value.into_owned())
            .expect("where to go");
        let csrf = browser.cookie("csrftoken");
        let mut sent = vec![("csrfmiddlewaretoken", csrf.as_str()), ("username", "bob"), ("next", next.as_str())];
        sent.push(("password", "wrong"));
        let again = browser.post("/api/login/", &sent).expect(401);
        assert!(
            unescaped(&again.text()).contains("/api/o/authorize/?"),
            "a wrong password forgets where to go: {again}"
        );
        sent.pop();
        sent.push(("password", crate::oauth::fixture::PASSWORD));
        assert_eq!(browser.post("/api/login/", &sent).expect(302).header("Location"), Some(next.clone()));

        let page = browser.get(&next).expect(200);
        let text = page.text();
        assert!(text.contains("Tool &lt;script&gt;") && !text.contains("<script"), "{text}");
        let shown = unescaped(&text);
        assert!(shown.contains("bob") && shown.contains("Acme") && shown.contains("https://app.example"), "{text}");
        let policy = page.header("Content-Security-Policy").expect("a policy");
        assert_eq!(
            policy,
            "default-src 'none'; style-src 'self'; form-action 'self' https://app.example; frame-ancestors 'none'; \
             base-uri 'none'"
        );
        assert!(text.contains("/api/static/hostler.css"), "{text}");
        assert_eq!(page.header("X-Frame-Options").as_deref(), Some("DENY"));

        let more = [("state", "a b&c"), ("redirect_uri", CALLBACK)];
        let back = sent_back(&browser.decide(&application, &more, "allow"));
        assert_eq!(back.keys().collect::<Vec<_>>(), ["code", "state"]);
        assert_eq!(back["state"], "a b&c");
        let back = sent_back(&browser.decide(&application, &more, "refuse"));
        assert_eq!((back["error"].as_str(), back["state"].as_str()), ("access_denied", "a b&c"));
    });
}

#[test]
fn forged_consent_is_rejected() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let browser = Browser::new(fixture);
        browser.login("bob");
        let mut sent = request(&application, &[("decision", "allow")]);
        browser.post("/api/o/authorize/", &sent).expect(403);
        sent.push(("csrfmiddlewaretoken", "nonsense"));
        browser.post("/api/o/authorize/", &sent).expect(403);
        // Only a session is accepted, not a token.
        let token = fixture.user("bob").post("/api/v2/tokens/", json!({"scope": "read"})).expect(201).json();
        let path = format!("/api/o/authorize/?{}", encode(&request(&application, &[])));
        let token = fixture.server.with_token(token["token"].as_str().expect("a token"));
        for client in [token, fixture.user("bob"), fixture.server.anonymous()] {
            for method in ["GET", "POST"] {
                let call = client.request(method, &path).header("Content-Type", "application/x-www-form-urlencoded");
                let answer = call.body(encode(&request(&application, &[("decision", "allow")]))).send().expect(302);
                assert!(answer.header("Location").expect("a Location").starts_with("/api/login/"), "{answer}");
            }
        }
    });
}

#[test]
fn unregistered_redirect_uri_is_rejected() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let two = json!({"redirect_uris": "https://one.example/ https://two.example/"});
        let two = fixture.application("confidential", "authorization-code", two);
        let browser = Browser::new(fixture);
        browser.login("bob");
        let stays = |answer: hostler_testkit::Response| {
            let answer = answer.expect(400);
            assert_eq!(answer.header("Location"), None, "{answer}");
            assert!(!answer.text().contains("evil.example"), "{answer}");
        };
        for uri in [
            "https://evil.example/cb",
            "https://app.example/cb",
            "https://app.example/cb?keep=1&more=1",
            "https://app.example/cb?keep=1#x",
            "https://app.example/CB?keep=1",
            "https://app.example/cb/../cb?keep=1",
            "https://app.example/cb?keep=1 ",
            "https://app.example@evil.example/cb?keep=1",
            "https://app.example.evil.example/cb?keep=1",
            "http://app.example/cb?keep=1",
            "//evil.example",
            "javascript:alert(1)",
            "a\0b",
        ] {
            stays(browser.ask(&application, &[("redirect_uri", uri)]));
            // No redirect, not even with another error.
            stays(browser.ask(&application, &[("redirect_uri", uri), ("response_type", "token")]));
        }
        stays(browser.ask(&two, &[]));
        stays(browser.ask(&application, &[("client_id", "nobody"), ("redirect_uri", "https://evil.example/")]));
        stays(browser.ask(&application, &[("client_id", ""), ("redirect_uri", "https://evil.example/")]));
        stays(browser.ask(&application, &[("redirect_uri", CALLBACK), ("redirect_uri", "https://evil.example/")]));
        assert_eq!(browser.ask(&two, &[("redirect_uri", "https://two.example/")]).status, 200);
    });
}

#[test]
fn errors_are_sent_to_redirect_uri() {
    each(|fixture| {
        let confidential = fixture.application("confidential", "authorization-code", json!({}));
        let public = fixture.application("public", "authorization-code", json!({}));
        let password = fixture.application("confidential", "password", json!({}));
        let browser = Browser::new(fixture);
        browser.login("bob");
        for (application, more, error) in [
            (&confidential, vec![("response_type", "")], "invalid_request"),
            (&confidential, vec![("response_type", "token")], "unsupported_response_type"),
            (&confidential, vec![("scope", "admin")], "invalid_scope"),
            (&confidential, vec![("scope", "read"), ("scope", "write")], "invalid_request"),
            (&confidential, vec![("code_challenge", CHALLENGE)], "invalid_request"),
            (&confidential, vec![("code_challenge_method", "S256")], "invalid_request"),
            (&public, vec![], "invalid_request"),
            (&public, vec![("code_challenge", CHALLENGE)], "invalid_request"),
            (&public, vec![("code_challenge", CHALLENGE), ("code_challenge_method", "plain")], "invalid_request"),
            (&public, vec![("code_challenge", "short"), ("code_challenge_method", "S256")], "invalid_request"),
            (&password, vec![], "unauthorized_client"),
        ] {
            let mut asked = more.clone();
            asked.push(("state", "s"));
            let back = sent_back(&browser.ask(application, &asked));
            assert_eq!((back["error"].as_str(), back["state"].as_str()), (error, "s"), "{more:?}");
        }
    });
}

#[test]
fn skip_authorization_requires_superuser() {
    each(|fixture| {
        let application =
            fixture.application("confidential", "authorization-code", json!({"skip_authorization": true}));
        let browser = Browser::new(fixture);
        browser.login("bob");
        assert!(sent_back(&browser.ask(&application, &[])).contains_key("code"));

        // Otherwise an organization admin could act as a superuser who follows a link.
        let ann = fixture.user("ann");
        let mine = json!({"name": "mine", "organization": fixture.acme, "client_type": "public",
            "authorization_grant_type": "authorization-code", "redirect_uris": CALLBACK});
        let mut skipping = mine.clone();
        skipping["skip_authorization"] = true.into();
        ann.post("/api/v2/applications/", skipping).expect(403);
        let mine = ann.post("/api/v2/applications/", mine).expect(201).json();
        let mine = mine["url"].as_str().expect("a url");
        ann.patch(mine, json!({"skip_authorization": true})).expect(403);
        let theirs = format!("/api/v2/applications/{}/", application.id);
        ann.patch(&theirs, json!({"redirect_uris": "https://evil.example/"})).expect(403);
        ann.patch(&theirs, json!({"description": "fine"})).expect(200);
        let harmless = json!({"skip_authorization": false, "redirect_uris": "https://other.example/"});
        ann.patch(&theirs, harmless).expect(200);
    });
}
