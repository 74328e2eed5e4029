//! The list of everything that runs as a job, whose objects are projects.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    list_shows_the_same_projects_as_their_own_list,
    list_is_filtered_by_type_and_by_fields_of_projects,
    options_describe_types_and_searches,
    list_has_no_objects_of_its_own,
    execution_environments_list_their_templates,
);

const LIST: &str = "/api/v2/unified_job_templates/";

struct Projects {
    server: TestServer,
    home: i64,
    git: i64,
}

/// Two projects in each of two organizations.
fn projects(backend: Backend) -> Projects {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    let create = |name: &str, organization: i64, scm: Value| {
        let mut body = json!({"name": name, "organization": organization, "description": format!("about {name}")});
        for (key, value) in scm.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        admin.create("/api/v2/projects/", body)
    };
    create("b-manual", home, json!({}));
    let git = create("a-git", home, json!({"scm_type": "git", "scm_url": "https://git.example/a"}));
    create("d-manual", away, json!({}));
    create("c-git", away, json!({"scm_type": "git", "scm_url": "https://git.example/c"}));
    Projects { server, home, git }
}

fn names(client: &Client, query: &str) -> Vec<String> {
    let page = client.get(&format!("{LIST}{query}")).expect(200).json();
    let results = page["results"].as_array().expect("a list");
    assert_eq!(page["count"], results.len(), "{query}");
    results.iter().filter_map(|object| object["name"].as_str()).map(str::to_owned).collect()
}

fn list_shows_the_same_projects_as_their_own_list(backend: Backend) {
    let Projects { server, home, git } = projects(backend);
    let admin = server.as_admin();
    let (boss, reader) = (server.user("boss"), server.user("reader"));
    server.add_admin(home, &boss);
    let project = admin.get(&format!("/api/v2/projects/{git}/")).expect(200).json();
    let role = project["summary_fields"]["object_roles"]["read_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("{}roles/", reader.path()), role);
    for (who, client, count) in [("admin", &admin, 4), ("boss", &boss.client, 2), ("reader", &reader.client, 1)] {
        for query in ["?order_by=name", "?order_by=-modified&page_size=2", "?page_size=1&page=last", "?search=git"] {
            let of_projects = client.get(&format!("/api/v2/projects/{query}")).expect(200).json();
            let unified = client.get(&format!("{LIST}{query}")).expect(200).json();
            assert_eq!(unified["results"], of_projects["results"], "{who} {query}");
            assert_eq!(unified["count"], of_projects["count"], "{who} {query}");
        }
        assert_eq!(names(client, "").len(), count, "{who}");
    }
    let stranger = server.user("stranger");
    assert_eq!(names(&stranger.client, ""), [""; 0]);
    // As the clients of AWX look templates up.
    assert_eq!(names(&reader.client, "?name=a-git"), ["a-git"]);
}

fn list_is_filtered_by_type_and_by_fields_of_projects(backend: Backend) {
    let Projects { server, .. } = projects(backend);
    let admin = server.as_admin();
    let (all, git) = (["a-git", "b-manual", "c-git", "d-manual"], ["a-git", "c-git"]);
    for (query, expected) in [
        ("?order_by=name&type=project", &all[..]),
        ("?order_by=name&type=job_template,project", &all),
        ("?type=job_template", &[]),
        ("?type=nosuch", &[]),
        ("?job_template__playbook=site.yml", &[]),
        ("?labels__name=x", &[]),
        ("?order_by=name&type__startswith=proj", &all),
        ("?order_by=name&or__type=project&or__type=job_template", &all),
        ("?not__type=project", &[]),
        ("?order_by=name&project__scm_type=git", &git),
        ("?organization__name=away&order_by=name", &["c-git", "d-manual"]),
        (
            "?created_by__username=admin&order_by=-name&next_job_run__isnull=true",
            &["d-manual", "c-git", "b-manual", "a-git"],
        ),
        ("?next_job_run__isnull=true&name__endswith=git&order_by=name", &git),
        ("?execution_environment__isnull=true&order_by=name", &all),
        ("?role_level=admin_role&order_by=name", &all),
    ] {
        assert_eq!(names(&admin, query), expected, "{query}");
    }
    let refused = |query: &str| admin.get(&format!("{LIST}{query}")).expect(400).json()["detail"].clone();
    assert_eq!(refused("?scm_type=git"), "UnifiedJobTemplate has no field named 'scm_type'");
    assert_eq!(refused("?role_level=nosuch"), "UnifiedJobTemplate has no role named 'nosuch'");
    // Projects are filtered by their type too.
    let projects = |query: &str| admin.get(&format!("/api/v2/projects/{query}")).expect(200).json()["count"].clone();
    assert_eq!(
        (projects("?type=project"), projects("?or__type=project"), projects("?type=job_template")),
        (4.into(), 4.into(), 0.into())
    );
    assert_eq!(projects("?unifiedjobtemplate_ptr__name=a-git"), 1);
}

fn options_describe_types_and_searches(backend: Backend) {
    let Projects { server, .. } = projects(backend);
    let document = server.as_admin().options(LIST).expect(200).json();
    assert_eq!(document["name"], "Unified Job Template List");
    assert_eq!(document["types"], json!(["project", "inventory_source", "job_template"]));
    assert_eq!(document["search_fields"], json!(["description", "jobtemplate__playbook", "name"]));
    let get = &document["actions"]["GET"];
    let types =
        json!([["project", "Project"], ["inventory_source", "Inventory Source"], ["job_template", "Job Template"]]);
    assert_eq!((&get["type"]["choices"], &get["type"]["filterable"]), (&types, &json!(true)));
    assert!(document["actions"].as_object().is_some_and(|actions| actions.keys().eq(["GET"])), "{document:#}");
    let searches = document["related_search_fields"].as_array().expect("a list");
    assert!(searches.contains(&"project__search".into()), "{searches:?}");
    let of_projects = server.as_admin().options("/api/v2/projects/").expect(200).json();
    assert_eq!(of_projects["actions"]["GET"]["type"]["filterable"], true);
}

fn list_has_no_objects_of_its_own(backend: Backend) {
    let Projects { server, git, .. } = projects(backend);
    let admin = server.as_admin();
    admin.post(LIST, json!({"name": "new"})).expect(405);
    for path in [format!("{LIST}{git}/"), format!("{LIST}a-git++home/"), format!("{LIST}{git}/access_list/")] {
        for method in ["GET", "OPTIONS", "PATCH", "DELETE"] {
            admin.request(method, &path).send().expect(404);
        }
    }
    admin.get(&format!("/api/v2/projects/{git}/")).expect(200);
}

fn execution_environments_list_their_templates(backend: Backend) {
    let Projects { server, home, .. } = projects(backend);
    let admin = server.as_admin();
    let image = json!({"name": "ours", "organization": home, "image": "quay.example/ours:1"});
    let environment = admin.create("/api/v2/execution_environments/", image);
    let environment = admin.get(&format!("/api/v2/execution_environments/{environment}/")).expect(200).json();
    let list = environment["related"]["unified_job_templates"].as_str().expect("a link");
    // Projects have no environment of their own.
    assert_eq!(admin.get(list).expect(200).json()["count"], 0);
    admin.post(list, json!({"id": 1})).expect(405);
    let by_template = "/api/v2/execution_environments/?unifiedjobtemplates__name=a-git";
    assert_eq!(admin.get(by_template).expect(200).json()["count"], 0);
}
