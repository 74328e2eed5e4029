//! ALLOW_OAUTH2_FOR_EXTERNAL_USERS.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, set, start};

on_each_backend!(external_users_create_tokens_by_setting);

fn external_users_create_tokens_by_setting(backend: Backend) {
    let server = start(backend);
    let eve = server.user("eve");
    let earlier = eve.token("write");
    server.execute("UPDATE users SET external_account = 'ldap' WHERE username = 'eve'");
    let lists =
        ["/api/v2/tokens/".to_owned(), format!("{}tokens/", eve.path()), format!("{}personal_tokens/", eve.path())];
    let detail = "(access_denied) OAuth2 Tokens cannot be created by users associated with an external authentication \
                  provider (ldap)";
    for list in &lists {
        let refused = eve.client.post(list, json!({"scope": "read"})).expect(403);
        assert_eq!(refused.json(), json!({"detail": detail}), "{list}");
    }
    // Also with an existing token.
    earlier.post("/api/v2/tokens/", json!({"scope": "read"})).expect(403);
    let application = json!({
        "name": "app", "organization": server.organization("Acme"), "client_type": "confidential",
        "authorization_grant_type": "password",
    });
    let made = server.as_admin().post("/api/v2/applications/", application).expect(201).json();
    let get_token = || {
        let pair = [&made["client_id"], &made["client_secret"]].map(|part| part.as_str().expect("a text"));
        let client = server.as_user(pair[0], pair[1]);
        let form = format!("grant_type=password&username=eve&password={}&scope=read", hostler_testkit::PASSWORD);
        client
            .request("POST", "/api/o/token/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
    };
    get_token().expect(403);
    set(&server, AUTHENTICATION, json!({"ALLOW_OAUTH2_FOR_EXTERNAL_USERS": true}));
    get_token().expect(200);
    for list in &lists {
        eve.client.post(list, json!({"scope": "read"})).expect(201);
    }
    server.as_admin().delete(AUTHENTICATION).expect(204);
    get_token().expect(403);
    // Existing tokens stay valid.
    earlier.get("/api/v2/me/").expect(200);
}
