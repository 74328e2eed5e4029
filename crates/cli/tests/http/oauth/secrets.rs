//! OAuth2 secrets are not stored in readable form.

use std::fs;

use hostler_testkit::{Backend, Response};
use serde_json::json;

use crate::oauth::fixture::{OauthFixture, PASSWORD};

#[test]
fn oauth_secrets_are_not_stored_or_logged() {
    let mut fixture = OauthFixture::new(Backend::Sqlite);
    let application = fixture.application("confidential", "authorization-code", json!({}));
    let code = fixture.code("bob", &application, &[]);
    let sent = application.prove(&[("grant_type", "authorization_code"), ("code", &code)]);
    let tokens = fixture.token(&sent).expect(200).json();
    let spent = fixture.token(&sent).expect(400);
    let kept = fixture.tokens_of("bob", &application, "read");
    let mut secrets = vec![application.secret.as_str(), code.as_str(), PASSWORD];
    for tokens in [&tokens, &kept] {
        secrets.extend(["access_token", "refresh_token"].iter().filter_map(|name| tokens[*name].as_str()));
    }
    let path = format!("/api/v2/applications/{}/", application.id);
    let shown: Vec<Response> = ["", "tokens/", "activity_stream/"]
        .iter()
        .map(|below| fixture.admin.get(&format!("{path}{below}")).expect(200))
        .chain([fixture.admin.get("/api/v2/activity_stream/?page_size=200").expect(200), spent])
        .collect();
    let log = fixture.server.stderr();
    let data = fixture.server.data();
    fixture.server.kill9();
    let mut files = vec![];
    let entries = fs::read_dir(data).expect("the data").flatten();
    for file in entries.filter(|entry| entry.path().is_file()) {
        files.push(fs::read(file.path()).expect("a file"));
    }
    assert_eq!(secrets.len(), 7);
    for secret in secrets {
        assert!(!log.contains(secret), "the log contains a secret");
        for answer in &shown {
            assert!(!answer.text().contains(secret), "{answer}");
        }
        for file in &files {
            let found = file.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the data hold a secret");
        }
    }
}
