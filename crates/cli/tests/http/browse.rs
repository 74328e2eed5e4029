//! HTML pages: their content, and the escaping of values.

use hostler_testkit::pages::{ACCEPT, content, hidden_fields, is_page, unescaped};
use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, PASSWORD, PageBrowser, Response, TestServer, backends};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

fn start(backend: Backend) -> TestServer {
    TestServer::start(BINARY, backend)
}

#[test]
fn accept_header_selects_json_or_html() {
    let server = start(Backend::Sqlite);
    let admin = server.as_admin();
    let ask = |path: &str, accept: &str| admin.request("GET", path).header("Accept", accept).send();
    for accept in ["*/*", "application/json", "application/json, text/html", "text/html;q=0.5, application/json"] {
        assert!(!is_page(&ask("/api/v2/users/", accept).expect(200)), "{accept}");
    }
    for accept in [ACCEPT, "text/html", "application/json;q=0.5, text/html"] {
        assert!(is_page(&ask("/api/v2/users/", accept).expect(200)), "{accept}");
    }
    assert!(is_page(&ask("/api/v2/users/?format=api", "application/json").expect(200)));
    assert!(!is_page(&ask("/api/v2/users/?format=json", ACCEPT).expect(200)));
    ask("/api/v2/users/?format=exe", ACCEPT).expect(404);
    assert!(!is_page(&ask("/api/v2/users/", "image/png").expect(406)));
}

/// YAML responses have the same values as JSON, also for texts that look like YAML.
#[test]
fn accept_header_selects_yaml() {
    let server = start(Backend::Sqlite);
    let admin = server.as_admin();
    let odd = [
        "yes",
        "null",
        "~",
        "1e3",
        "0x1f",
        "007",
        "a: b",
        "- x",
        "# no comment",
        "'quoted'",
        "\"",
        "{}",
        "[x",
        "&a",
        "*a",
        "!tag",
        "| x",
        "> x",
        "%x",
        "@x",
        "`x",
        "two\nlines\n",
        " space ",
        "tab\t",
        "é 🚀 \u{85}\u{2028}",
        "...",
        "---",
        "2024-01-01",
        "1:30",
        ".inf",
        "=",
        "<<",
        "true",
    ];
    for (number, words) in odd.iter().enumerate() {
        let body = json!({"name": format!("{number}"), "description": words});
        admin.post("/api/v2/organizations/", body).expect(201);
    }
    let ask = |path: &str, accept: &str| admin.request("GET", path).header("Accept", accept).send();
    for path in
        ["/api/v2/organizations/?page_size=200", "/api/v2/users/1/", "/api/v2/settings/all/", "/api/v2/users/99/"]
    {
        let wanted = ask(path, "application/json").json();
        for accept in ["application/yaml", "application/x-yaml", "text/yaml, application/json;q=0.9"] {
            let answer = ask(path, accept);
            assert_eq!(answer.header("Content-Type").as_deref(), Some("application/yaml"), "{path} {accept}");
            let read: serde_json::Value = serde_saphyr::from_str(&answer.text()).expect("YAML");
            assert_eq!(read, wanted, "{path} {accept}");
        }
    }
    let named = ask("/api/v2/users/1/?format=yaml", "*/*").expect(200).text();
    assert!(named.contains("url: ") && named.contains("/api/v2/users/1/?format=yaml"), "{named}");
    // Bodies are JSON, as in AWX.
    let yaml = admin.request("PATCH", "/api/v2/users/1/").header("Content-Type", "application/yaml");
    yaml.body("first_name: Ann").send().expect(415);
}

#[test]
fn html_page_has_status_of_json_response() {
    for backend in backends() {
        let server = start(backend);
        let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
        for (path, status) in [
            ("/api/", 200),
            ("/api/v2/", 200),
            ("/api/v2/ping/", 200),
            ("/api/v2/config/", 200),
            ("/api/v2/me/", 200),
            ("/api/v2/settings/", 200),
            ("/api/v2/settings/all/", 200),
            ("/api/v2/users/", 200),
            ("/api/v2/users/1/", 200),
            ("/api/v2/users/admin/", 200),
            ("/api/v2/users/1/roles/", 200),
            ("/api/v2/activity_stream/", 200),
            ("/api/v2/users/999/", 404),
            ("/api/v2/users/?nonsense=1", 400),
            ("/api/v2/users/?page=99", 404),
            ("/api/v2/workflow_jobs/", 501),
            ("/api/v2/nothing/", 404),
            ("/nothing", 404),
        ] {
            let page = browser.get(path).expect(status);
            assert!(is_page(&page), "{backend}: {page}");
            assert!(page.text().contains("/api/static/hostler.css"), "{backend}: {path}");
        }
    }
}

#[test]
fn pages_have_strict_content_security_policy() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::new(&server);
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let answers =
        |browser: &PageBrowser| ["/api/", "/api/login/", "/api/v2/users/", "/nothing/"].map(|path| browser.get(path));
    let logged_in = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    for page in answers(&browser).into_iter().chain(answers(&logged_in)) {
        assert_eq!(page.header("Content-Security-Policy").as_deref(), Some(policy), "{page}");
        assert_eq!(page.header("X-Content-Type-Options").as_deref(), Some("nosniff"));
        assert_eq!(page.header("Cache-Control").as_deref(), Some("no-cache, no-store, must-revalidate"));
        let html = page.text().to_lowercase();
        for forbidden in ["<script", "style=", " onclick", "javascript:"] {
            assert!(!html.contains(forbidden), "{forbidden} in {page}");
        }
    }
    // The link contains a hash of the stylesheet, so that browsers load a new version.
    let page = browser.get("/api/login/").text();
    let (_, link) = page.split_once("/api/static/hostler.css?").expect("a link to the stylesheet");
    let version: String = link.chars().take_while(|letter| *letter != '"').collect();
    assert_eq!(version.len(), 16, "{page}");
    let style = server.anonymous().get(&format!("/api/static/hostler.css?{version}")).expect(200);
    assert_eq!(style.header("Content-Type").as_deref(), Some("text/css; charset=utf-8"));
    assert!(style.header("Cache-Control").is_some_and(|value| value.contains("max-age")));
}

#[test]
fn anonymous_page_links_to_login() {
    let server = start(Backend::Sqlite);
    let page = PageBrowser::new(&server).get("/api/v2/users/?search=a%26b").expect(401);
    assert!(page.header("WWW-Authenticate").is_some_and(|value| !value.contains("Basic")));
    let next = "/api/login/?next=%2Fapi%2Fv2%2Fusers%2F%3Fsearch%3Da%2526b";
    assert!(page.text().contains(next), "{page}");
    assert!(!page.text().contains("User List"), "{page}");
    assert!(hidden_fields(&page, "csrfmiddlewaretoken").is_empty());
    // The login form redirects back to the page.
    assert_eq!(hidden_fields(&PageBrowser::new(&server).get(next), "next"), ["/api/v2/users/?search=a%26b"]);
    let elsewhere = PageBrowser::new(&server).get("/api/login/?next=//example.org/");
    assert_eq!(hidden_fields(&elsewhere, "next"), ["/api/"]);
}

#[test]
fn page_without_permission_has_no_form() {
    let server = start(Backend::Sqlite);
    let carol = server.user("carol").path();
    let has_form = |page: &Response| page.text().contains("<textarea");
    let has_delete = |page: &Response| page.text().contains("value=\"DELETE\"");
    let admin = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    for path in [
        "/api/",
        "/api/v2/ping/",
        "/api/v2/me/",
        "/api/v2/activity_stream/",
        "/api/v2/roles/1/",
        "/api/v2/settings/changed/",
    ] {
        let page = admin.get(path).expect(200);
        assert!(!has_form(&page) && !has_delete(&page), "{path}");
    }
    let page = admin.get(&carol).expect(200);
    assert!(has_form(&page) && has_delete(&page));
    // The own user has no delete form.
    let page = admin.get("/api/v2/users/admin/").expect(200);
    assert!(has_form(&page) && !has_delete(&page));
    let page = admin.get("/api/v2/settings/authentication/").expect(200);
    assert!(has_form(&page) && has_delete(&page));

    let plain = PageBrowser::logged_in(&server, "carol", PASSWORD);
    let own = plain.get(&carol).expect(200);
    assert!(has_form(&own) && !has_delete(&own));
    for path in ["/api/v2/users/", "/api/v2/users/1/", "/api/v2/organizations/"] {
        let page = plain.get(path).expect(200);
        assert!(!has_form(&page) && !has_delete(&page), "{path}");
    }
    // With Basic authentication there is no session that could write.
    let page = server.as_admin().request("GET", &carol).header("Accept", ACCEPT).send().expect(200);
    assert!(!has_form(&page) && !page.text().contains("<form"), "{page}");
}

/// The heading is the error if the object is not visible.
#[test]
fn error_page_shows_error_as_heading() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    for (path, heading) in [("/api/v2/users/999/", "Not Found"), ("/api/v2/users/?nonsense=1", "User List")] {
        let page = browser.get(path).text();
        assert!(page.contains(&format!("<h1>{heading}</h1>")), "{path}: {page}");
    }
}

#[test]
fn html_in_names_is_escaped() {
    let server = start(Backend::Sqlite);
    let admin = server.as_admin();
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'-alert(1)-'",
        "</pre></textarea><svg onload=alert(1)>",
        "javascript:alert(1)",
        "{{ 7 * 7 }}{% raw %}",
        "/api/v2/\" autofocus onfocus=\"alert(1)",
    ] {
        let made = admin.post("/api/v2/organizations/", json!({"name": name, "description": name})).expect(201).json();
        let url = made["url"].as_str().expect("a path");
        for path in [url, "/api/v2/organizations/", &format!("{url}object_roles/"), "/api/v2/activity_stream/"] {
            let html = browser.get(path).expect(200).text();
            for tag in ["<script", "<img", "<svg", "onerror=alert(1)>", "href=\"javascript", "\" autofocus", "49{"] {
                assert!(!html.contains(tag), "{tag} on {path}:\n{html}");
            }
        }
        let shown: serde_json::Value = serde_json::from_str(&content(&browser.get(url))).expect("JSON in the form");
        assert_eq!(shown["name"], name);
    }
    // Values from the URL are escaped too.
    for path in
        ["/api/v2/users/?search=%22%3E%3Cscript%3E", "/api/v2/users/?%3Cscript%3E=1", "/api/v2/users/%3Cscript%3E/"]
    {
        assert!(!browser.get(path).text().contains("<script"), "{path}");
        assert!(!PageBrowser::new(&server).get(path).text().contains("<script"), "{path}");
    }
}

#[test]
fn only_own_paths_become_links() {
    let server = start(Backend::Sqlite);
    let admin = server.as_admin();
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    for name in ["javascript:alert(1)", "//example.org/api/", "https://example.org/", "/api/logout/", "/api/../evil"] {
        admin.post("/api/v2/organizations/", json!({"name": name})).expect(201);
    }
    let html = browser.get("/api/v2/organizations/").expect(200).text();
    let html = html.replace("href=\"#main\"", "");
    for href in html.split("href=\"").skip(1).map(|rest| unescaped(rest.split('"').next().unwrap_or_default())) {
        assert!(href.starts_with("/api/") && !href.starts_with("/api/logout") && !href.contains(".."), "{href}");
    }
    assert!(html.contains("<a href=\"/api/v2/organizations/1/users/\">"), "{html}");
}

#[test]
fn list_page_has_paging_and_search() {
    let server = start(Backend::Sqlite);
    for number in 0..5 {
        server.user(&format!("user-{number}"));
    }
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    let page = unescaped(&browser.get("/api/v2/users/?page_size=2&page=2&order_by=-id").expect(200).text());
    assert!(page.contains("6 objects, page 2 of 3") && page.contains("name=\"search\" value=\"\""), "{page}");
    for page_number in [1, 3] {
        let link = format!("href=\"/api/v2/users/?order_by=-id&page={page_number}&page_size=2\"");
        assert!(page.contains(&link), "{link} in {page}");
    }
    let found = browser.get("/api/v2/users/?search=user-3").expect(200).text();
    assert!(found.contains("1 object<") && found.contains("value=\"user-3\""), "{found}");
}

#[test]
fn failed_login_keeps_next_and_username() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::new(&server);
    browser.get("/api/login/?next=/api/v2/users/").expect(200);
    let name = "ada\" autofocus x=\"<b>";
    let fields = [("username", name), ("password", "wrong"), ("next", "/api/v2/users/")];
    let page = browser.form("/api/login/", &fields).expect(401);
    assert!(page.text().contains("Your username or password was incorrect."), "{page}");
    assert_eq!(hidden_fields(&page, "next"), ["/api/v2/users/"]);
    // The form keeps the username, but not the password.
    let html = page.text();
    assert!(unescaped(&html).contains(&format!("value=\"{name}\"")), "{page}");
    assert!(!html.contains("x=\"<b>") && !html.contains("wrong"), "{page}");
}
