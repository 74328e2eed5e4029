//! Invalid paths, queries, numbers, methods and headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::{USERS, start, state};

on_each_backend!(
    numbers_beyond_64_bits_are_rejected,
    nul_bytes_are_rejected,
    too_complex_queries_are_rejected,
    explosive_regexes_are_rejected,
    invalid_page_numbers_are_rejected,
    unsupported_methods_are_rejected,
    unknown_paths_are_rejected,
    malformed_http_is_rejected,
);

fn numbers_beyond_64_bits_are_rejected(backend: Backend) {
    let fixture = start(backend);
    let org = fixture.server.organization("Acme");
    let before = state(&fixture.admin);
    for number in
        ["9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999999999", "1e400"]
    {
        let path = number.trim_start_matches('-');
        if !path.contains('e') {
            for below in ["", "roles/", "activity_stream/"] {
                fixture.refused(fixture.admin.get(&format!("{USERS}{path}/{below}")));
            }
            fixture.refused(fixture.admin.delete(&format!("{USERS}{path}/")));
        }
        for body in [
            format!("{{\"name\": \"a\", \"organization\": {number}}}"),
            format!("{{\"name\": \"a\", \"organization\": \"{number}\"}}"),
        ] {
            fixture.refused(fixture.send("POST", "/api/v2/teams/", body));
        }
        fixture.refused(fixture.send(
            "POST",
            "/api/v2/organizations/",
            format!("{{\"name\": \"a\", \"max_hosts\": {number}}}"),
        ));
        fixture.refused(fixture.send(
            "POST",
            &format!("/api/v2/organizations/{org}/users/"),
            format!("{{\"id\": {number}}}"),
        ));
        for query in [format!("id={number}"), format!("id__in=1,{number}"), format!("id__gt={number}")] {
            let answer = fixture.admin.get(&format!("{USERS}?{query}"));
            // No user has this id: 404 is a correct response too.
            if answer.status != 200 {
                fixture.refused(answer);
            }
        }
        fixture.refused(fixture.admin.get(&format!("{USERS}?page={number}")));
    }
    assert!(state(&fixture.admin) == before, "something was written");
}

fn nul_bytes_are_rejected(backend: Backend) {
    let fixture = start(backend);
    for field in ["username", "first_name", "email", "password"] {
        fixture.refused(fixture.admin.patch(&fixture.user, json!({field: "a\u{0}b"})));
    }
    fixture.refused(fixture.admin.post("/api/v2/organizations/", json!({"name": "a\u{0}"})));
    fixture.refused(fixture.admin.post("/api/v2/tokens/", json!({"description": "a\u{0}"})));
    for query in [
        "username=a%00",
        "username__icontains=%00",
        "search=%00",
        "%00=1",
        "order_by=%00",
        "username__in=a,%00",
        "username__regex=%00",
    ] {
        fixture.refused(fixture.admin.get(&format!("{USERS}?{query}")));
    }
    for path in ["/api/v2/users/a%00/", "/api/v2/%00/", "/api/v2/users/%00/roles/"] {
        let answer = fixture.admin.get(path);
        assert_eq!(answer.status, 404, "{answer}");
    }
    let as_nul = format!("Basic {}", STANDARD.encode("adm\0in:pass\0word"));
    let answer = fixture.server.anonymous().request("GET", "/api/v2/me/").header("Authorization", &as_nul).send();
    assert_eq!(answer.status, 401, "{answer}");
    fixture.unchanged();
}

fn too_complex_queries_are_rejected(backend: Backend) {
    let fixture = start(backend);
    let many = |part: &str, times: usize, between: &str| vec![part; times].join(between);
    let deep = many("created_by", 200, "__");
    for query in [
        many("username=a", 5_000, "&"),
        many("or__username__icontains=a", 2_000, "&"),
        many("roles__members__username=a", 500, "&"),
        format!("id__in={}", many("1", 20_000, ",")),
        format!("search={}", many("a", 20_000, "+")),
        format!("order_by={}", many("username", 4_000, ",")),
        format!("{}=1", many("roles__members", 100, "__")),
        format!("username={}", many("a", 40_000, "")),
        format!("{}=1", many("a", 40_000, "")),
        many("not__", 8_000, ""),
    ] {
        fixture.refused(fixture.admin.get(&format!("{USERS}?{query}")));
    }
    fixture.refused(fixture.admin.get(&format!("/api/v2/organizations/?{deep}__username=a")));
    for query in [
        "__=1",
        "__exact=1",
        "username__=1",
        "username__exact__exact=1",
        "id=x",
        "id__in=",
        "created__gt=x",
        "or__=1",
        "order_by=-",
    ] {
        fixture.refused(fixture.admin.get(&format!("{USERS}?{query}")));
    }
    // Bob may see only some roles, so each relation adds an access condition. SQLite has a limit for such statements.
    let bob = fixture.server.user("bob");
    fixture.server.add_admin(fixture.server.organization("administered"), &bob);
    let roles = format!("/api/v2/roles/?{}", many("chain__ancestors__id=1&chain__parents__parents__id=1", 12, "&"));
    let answer = bob.client.get(&roles);
    match backend {
        Backend::Sqlite => fixture.refused(answer),
        Backend::Postgres => drop(answer.expect(200)),
    }
    // 10,000 of them exceed the limit of the request line; the server must say so.
    let query = many("a=1", 10_000, "&");
    let answer = fixture.admin.get(&format!("{USERS}?{query}"));
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    fixture.lives();
}

fn explosive_regexes_are_rejected(backend: Backend) {
    let fixture = start(backend);
    fixture.admin.patch(&fixture.user, json!({"first_name": "a".repeat(30)})).expect(200);
    // These are slow in regex engines that backtrack; here the response is immediate.
    for pattern in ["(a%2B)%2B$", "(a|aa)%2Bb", "(.*)*x", "(a?){30}a{30}"] {
        let answer = fixture.admin.get(&format!("{USERS}?first_name__regex=^{pattern}"));
        assert!([200, 400].contains(&answer.status), "{answer}");
        fixture.lives();
    }
    for pattern in ["(", "[", "*", "a{99999}{99999}", "(?P<n", "\\", "(a{1000}){1000}", "\\1", "(?=a)"] {
        let pattern: String = pattern.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for lookup in ["regex", "iregex"] {
            fixture.refused(fixture.admin.get(&format!("{USERS}?first_name__{lookup}={pattern}")));
        }
    }
}

fn invalid_page_numbers_are_rejected(backend: Backend) {
    let fixture = start(backend);
    for page in ["0", "-1", "x", "1.5", "9223372036854775807", "99999999999999999999", "2"] {
        fixture.refused(fixture.admin.get(&format!("{USERS}?page={page}")));
    }
    // As in AWX an invalid page size is ignored, and a large one is limited to the maximum.
    for size in ["0", "-1", "x", "1.5", "", "201", "9223372036854775807", "99999999999999999999999"] {
        let answer = fixture.admin.get(&format!("{USERS}?page_size={size}")).expect(200);
        assert_eq!(answer.json()["results"].as_array().map(Vec::len), Some(2), "{answer}");
    }
}

fn unsupported_methods_are_rejected(backend: Backend) {
    let fixture = start(backend);
    for (path, methods) in [
        (USERS, &["PUT", "PATCH", "DELETE"][..]),
        (&fixture.user, &["POST"]),
        ("/api/v2/", &["POST", "PUT", "PATCH", "DELETE"]),
        ("/api/v2/ping/", &["POST", "PUT", "PATCH", "DELETE"]),
        ("/api/v2/me/", &["POST", "PUT", "PATCH", "DELETE"]),
        ("/api/v2/config/", &["PUT", "PATCH"]),
        ("/api/v2/roles/1/", &["POST", "PUT", "PATCH", "DELETE"]),
        ("/api/v2/activity_stream/1/", &["POST", "PUT", "PATCH", "DELETE"]),
        ("/api/v2/users/1/roles/", &["PUT", "PATCH", "DELETE"]),
        ("/api/v2/users/1/access_list/", &["POST", "PUT", "PATCH", "DELETE"]),
        ("/api/login/", &["PUT", "PATCH", "DELETE"]),
    ] {
        for method in methods {
            let answer = fixture.send(method, path, "{}");
            assert_eq!(answer.status, 405, "{answer}");
            assert_eq!(answer.json(), json!({"detail": format!("Method \"{method}\" not allowed.")}));
            assert!(answer.header("Allow").is_some_and(|allow| !allow.contains(method)), "{answer}");
            fixture.lives();
        }
    }
    fixture.unchanged();
}

fn unknown_paths_are_rejected(backend: Backend) {
    let fixture = start(backend);
    for path in [
        "/",
        "/nothing/",
        "/api/v1/",
        "/api/v2/nothing/",
        "/api/v2/users/1/nothing/",
        "/api/v2//users/",
        "/api/v2/users//",
        "/api/v2/users/1/teams/1/",
        "/api/v2/users/%ff/",
        "/api/v2/users/%C3%28/roles/",
        "/api/v2/%2e%2e/",
        "/api/v2/../../etc/passwd",
        "/api/v2/users/%2e%2e%2f/x/",
        "/api/v2/teams/no-plus/",
        "/api/v2/users/a++b/",
    ] {
        let answer = fixture.admin.get(path);
        assert_eq!(answer.status, 404, "{answer}");
        fixture.lives();
    }
    // Invalid percent-encodings are read as letters of a name that does not exist.
    for path in
        ["/api/v2/users/%zz/", "/api/v2/users/%/", "/api/v2/users/-1/", "/api/v2/users/1.0/", "/api/v2/users/0/"]
    {
        fixture.refused(fixture.admin.get(path));
    }
    for query in ["username=%zz", "username=%ff", "%ff=1", "username__icontains=%C3%28", "&&&", "?", "="] {
        let answer = fixture.admin.get(&format!("{USERS}?{query}"));
        assert!(answer.status < 500, "{answer}");
        fixture.lives();
    }
}

fn malformed_http_is_rejected(backend: Backend) {
    let fixture = start(backend);
    let basic = STANDARD.encode("admin:password");
    let with = |line: &str, headers: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {basic}\r\n{headers}\r\n"
        )
        .into_bytes()
    };
    let mut not_utf8 = b"GET /api/v2/users/\xff\xfe/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec();
    let requests = [
        b"nonsense\r\n\r\n".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        std::mem::take(&mut not_utf8),
        with("GET /api/v2/users/?username=\u{e9}", "X-A: \0\r\n"),
        with("GET /api/v2/nothing/", &format!("X-Large: {}\r\n", "x".repeat(1_000_000))),
        with("GET /api/v2/nothing/", &(0..5_000).map(|n| format!("X-{n}: x\r\n")).collect::<String>()),
        with(&format!("GET /api/v2/{}/", "x".repeat(100_000)), ""),
        with("POST /api/v2/users/", "Content-Length: -1\r\n"),
        with("POST /api/v2/users/", "Content-Length: 99999999999999999999\r\n"),
        with(
            "POST /api/v2/users/",
            "Content-Type: application/json\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ),
    ];
    for request in requests {
        let answer = fixture.server.send_raw(&request);
        // Errors below HTTP: an empty 400, or a closed connection.
        assert!(
            answer.status.is_none_or(|status| (400..500).contains(&status)),
            "{answer:?} to {:?}",
            String::from_utf8_lossy(&request[..60])
        );
        fixture.lives();
    }
    for headers in
        ["Cookie: ;;;=;awx_sessionid\r\n", "Accept: \u{e9}\r\n", "Authorization: \u{e9}\r\n", "If-Match: \u{e9}\r\n"]
    {
        let request =
            format!("PATCH {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n", fixture.user);
        assert_eq!(fixture.server.send_raw(request.as_bytes()).status, Some(401), "{headers}");
        fixture.lives();
    }
    fixture.unchanged();
}
