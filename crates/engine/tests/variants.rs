//! Lists whose rows are objects of several types, and links to such objects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod common;

use async_trait::async_trait;
use common::actor;
use hostler_access::ByVariant;
use hostler_database::count_statements;
use hostler_engine::{
    Engine, Error, Hooks, ListScope, NoHooks, ObjectKey, Registered, RenderContext, ResponseObject, UpdateMethod,
};
use hostler_schema::fields::{boolean, id, integer, link, text};
use hostler_schema::{
    Access, Action, Actor, Draft, Field, Join, ObjectRole, Relation, Resource, Rule, Variants, column,
};
use hostler_testkit::{Backend, on_each_backend};
use sea_query::ExprTrait;
use serde_json::{Map, Value as Json, json};

on_each_backend!(
    page_contains_objects_of_each_variant_in_order,
    last_page_is_in_order,
    variants_are_visible_by_their_own_rules,
    lists_are_filtered_by_type,
    base_is_filtered_by_fields_of_variants,
    role_level_selects_variants_with_that_role,
    writes_of_a_variant_change_its_own_rows_only,
    links_lead_to_the_variant,
    statements_do_not_depend_on_rows,
);

/// Superusers see every row, others only rows that are not hidden.
struct Unhidden;

impl Access for Unhidden {
    fn rows(&self, actor: &Actor, _: Action, row: &str) -> Rule {
        if actor.is_superuser { Rule::All } else { Rule::When(column(row, "hidden").eq(false)) }
    }
    fn create(&self, _: &Actor, _: Draft<'_>) -> Rule {
        Rule::All
    }
}

/// Everybody sees every row.
struct Open;

impl Access for Open {
    fn rows(&self, _: &Actor, _: Action, _: &str) -> Rule {
        Rule::All
    }
    fn create(&self, _: &Actor, _: Draft<'_>) -> Rule {
        Rule::All
    }
}

const ITEM_FIELDS: &[Field] = &[id(), text("name").read_only()];
static ITEM: Resource = Resource {
    variants: Some(Variants { column: "kind", resources: &[|| &BOOK, || &LONG_FILM] }),
    creatable: false,
    editable: false,
    summarized_as: &["name"],
    search: &["name"],
    ..Resource::new("item", "items", "Item", ITEM_FIELDS, &ByVariant(|| &ITEM))
};

const BOOK_FIELDS: &[Field] = &[id(), text("name").required(), integer("pages"), boolean("hidden")];
static BOOK: Resource = Resource {
    variant_of: Some(|| &ITEM),
    summarized_as: &["name"],
    search: &["name"],
    roles: &[ObjectRole::new("read_role", "Read", "May read it", &[])],
    ..Resource::new("book", "books", "Book", BOOK_FIELDS, &Unhidden)
};

const FILM_FIELDS: &[Field] = &[id(), text("name").required(), integer("minutes")];
static LONG_FILM: Resource = Resource {
    variant_of: Some(|| &ITEM),
    summarized_as: &["name"],
    search: &["name"],
    relations: &[Relation::new("item", || &ITEM, Join::Column("id"))],
    ..Resource::new("long_film", "long_films", "LongFilm", FILM_FIELDS, &Open)
};

const LOAN_FIELDS: &[Field] = &[id(), link("item", "item_id", || &ITEM).summarized()];
static LOAN: Resource =
    Resource { summarized_as: &[], search: &[], ..Resource::new("loan", "loans", "Loan", LOAN_FIELDS, &Open) };

/// Marks the objects that it enriches.
struct Mark(&'static str);

#[async_trait]
impl Hooks for Mark {
    async fn enrich(&self, _: &Engine, _: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        for object in page {
            object.add_summary("mark", self.0.into());
        }
        Ok(())
    }
}

static REGISTERED: [Registered; 4] = [
    Registered { resource: &ITEM, hooks: &NoHooks },
    Registered { resource: &BOOK, hooks: &Mark("paper") },
    Registered { resource: &LONG_FILM, hooks: &Mark("celluloid") },
    Registered { resource: &LOAN, hooks: &NoHooks },
];

const TABLES: &str = "
    CREATE TABLE items (id {key}, version {number} NOT NULL DEFAULT 1, kind TEXT NOT NULL, name TEXT NOT NULL,
        pages {number}, minutes {number}, hidden BOOLEAN NOT NULL DEFAULT FALSE);
    CREATE VIEW books AS SELECT * FROM items WHERE kind = 'book';
    CREATE VIEW long_films AS SELECT * FROM items WHERE kind = 'long_film';
    CREATE TABLE loans (id {key}, version {number} NOT NULL DEFAULT 1, item_id {number} REFERENCES items (id));
    INSERT INTO items (kind, name, pages, minutes, hidden) VALUES
        ('book', 'Dune', 600, NULL, FALSE), ('long_film', 'Solaris', NULL, 166, FALSE),
        ('book', 'Diary', 100, NULL, TRUE), ('long_film', 'Stalker', NULL, 162, FALSE), ('book', 'Emma', 500, NULL, FALSE);
    INSERT INTO loans (item_id) VALUES (1), (2), (3);
";

struct Library {
    engine: Engine,
    superuser: Actor,
    reader: Actor,
}

fn on(backend: Backend, test: impl AsyncFnOnce(Library)) {
    common::on(backend, TABLES, &REGISTERED, async |engine| {
        test(Library { engine, superuser: actor(0, true), reader: actor(7, false) }).await;
    });
}

impl Library {
    async fn list(&self, actor: &Actor, resource: &'static Resource, query: &str) -> Result<Map<String, Json>, Error> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.engine.list(actor, resource, ListScope::All, "/api/v2/list/", &pairs).await
    }

    /// The names in a list, and whether the count agrees.
    async fn names(&self, actor: &Actor, resource: &'static Resource, query: &str) -> Vec<String> {
        let page = self.list(actor, resource, query).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
        let results = page["results"].as_array().unwrap();
        if !query.contains("page") {
            assert_eq!(page["count"], results.len(), "{query}");
        }
        results.iter().map(|object| object["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn page_contains_objects_of_each_variant_in_order(backend: Backend) {
    on(backend, async |library| {
        let page = library.list(&library.superuser, &ITEM, "order_by=-name&page_size=3").await.unwrap();
        assert_eq!(
            (&page["count"], &page["next"]),
            (&json!(5), &json!("/api/v2/list/?order_by=-name&page=2&page_size=3"))
        );
        let of = |index: usize| {
            let object = &page["results"][index];
            let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
            (object["url"].as_str().unwrap(), object["summary_fields"]["mark"].as_str().unwrap(), keys[5..].to_vec())
        };
        assert_eq!(of(0), ("/api/v2/long_films/4/", "celluloid", vec!["name", "minutes"]));
        assert_eq!(of(1), ("/api/v2/long_films/2/", "celluloid", vec!["name", "minutes"]));
        assert_eq!(of(2), ("/api/v2/books/5/", "paper", vec!["name", "pages", "hidden"]));
        // The same object as in the list of its type.
        let books = library.list(&library.superuser, &BOOK, "name=Emma").await.unwrap();
        assert_eq!(page["results"][2], books["results"][0]);
    });
}

fn last_page_is_in_order(backend: Backend) {
    on(backend, async |library| {
        let query = "order_by=name&page_size=3&page=last";
        assert_eq!(library.names(&library.superuser, &ITEM, query).await, ["Solaris", "Stalker"]);
        let beyond = library.list(&library.superuser, &ITEM, "page_size=3&page=3").await;
        assert!(matches!(beyond, Err(Error::InvalidPage)), "{beyond:?}");
    });
}

fn variants_are_visible_by_their_own_rules(backend: Backend) {
    on(backend, async |library| {
        let names = ["Dune", "Solaris", "Stalker", "Emma"];
        assert_eq!(library.names(&library.reader, &ITEM, "").await, names);
        assert_eq!(library.names(&library.reader, &ITEM, "book__pages__lt=600").await, ["Emma"]);
        assert_eq!(library.names(&library.superuser, &ITEM, "book__pages__lt=600").await, ["Diary", "Emma"]);
    });
}

fn lists_are_filtered_by_type(backend: Backend) {
    on(backend, async |library| {
        let films = ["Solaris", "Stalker"];
        let all = ["Dune", "Solaris", "Diary", "Stalker", "Emma"];
        for (query, expected) in [
            ("type=long_film", &films[..]),
            ("type=book,long_film", &all),
            ("type=nothing", &[]),
            ("type=nothing,long_film", &films),
            ("type=book&type=long_film", &films),
            ("or__type=long_film&or__type=nothing", &films),
            ("type__in=long_film,nothing", &films),
            ("type__startswith=long", &films),
            ("not__type=book", &films),
            ("order_by=-type,name", &["Solaris", "Stalker", "Diary", "Dune", "Emma"]),
        ] {
            assert_eq!(library.names(&library.superuser, &ITEM, query).await, expected, "{query}");
        }
        assert_eq!(library.names(&library.superuser, &BOOK, "type=book,long_film").await, ["Dune", "Diary", "Emma"]);
        assert_eq!(library.names(&library.superuser, &BOOK, "type=long_film").await, [""; 0]);
        assert_eq!(library.names(&library.superuser, &BOOK, "not__type=book").await, [""; 0]);
    });
}

fn base_is_filtered_by_fields_of_variants(backend: Backend) {
    on(backend, async |library| {
        for (query, expected) in [
            ("long_film__minutes__gt=162", &["Solaris"][..]),
            ("longfilm__minutes=162", &["Stalker"]),
            ("book__isnull=true", &["Solaris", "Stalker"]),
            ("book__isnull=false&book__pages__gt=500", &["Dune"]),
            ("not__book__pages=600", &["Solaris", "Diary", "Stalker", "Emma"]),
            ("or__book__pages=600&or__long_film__minutes=162", &["Dune", "Stalker"]),
            ("order_by=-long_film__minutes,name&long_film__minutes__isnull=false", &["Solaris", "Stalker"]),
            ("long_film__search=sol", &["Solaris"]),
            ("search=sta", &["Stalker"]),
        ] {
            assert_eq!(library.names(&library.superuser, &ITEM, query).await, expected, "{query}");
        }
        let films = library.names(&library.superuser, &LONG_FILM, "item__type=long_film&item__name=Solaris").await;
        assert_eq!(films, ["Solaris"]);
        let unknown = library.list(&library.superuser, &ITEM, "minutes=1").await;
        assert!(matches!(unknown, Err(Error::BadRequest(_))), "{unknown:?}");
    });
}

fn role_level_selects_variants_with_that_role(backend: Backend) {
    on(backend, async |library| {
        let books = library.names(&library.superuser, &ITEM, "role_level=read_role").await;
        assert_eq!(books, ["Dune", "Diary", "Emma"]);
        let unknown = library.list(&library.superuser, &ITEM, "role_level=admin_role").await;
        assert!(matches!(unknown, Err(Error::BadRequest(_))), "{unknown:?}");
    });
}

fn writes_of_a_variant_change_its_own_rows_only(backend: Backend) {
    on(backend, async |library| {
        let (engine, actor) = (&library.engine, &library.superuser);
        let body = |json: Json| json.as_object().unwrap().clone();
        let film =
            engine.create(actor, &LONG_FILM, &body(json!({"name": "Mirror", "minutes": 107})), None).await.unwrap();
        assert_eq!((film.id, &film.json["type"]), (6, &json!("long_film")));
        let film = ObjectKey::Id(film.id);
        let longer = body(json!({"minutes": 108}));
        let (changed, _) = engine.update(actor, &LONG_FILM, &film, UpdateMethod::Patch, &longer, None).await.unwrap();
        assert_eq!(changed["minutes"], 108);
        for refused in [
            engine.update(actor, &BOOK, &film, UpdateMethod::Patch, &Map::new(), None).await.map(drop),
            engine.delete(actor, &BOOK, &film, None).await,
            engine.show(actor, &BOOK, &film).await.map(drop),
        ] {
            assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
        }
        engine.delete(actor, &LONG_FILM, &film, None).await.unwrap();
        assert_eq!(library.names(actor, &ITEM, "id=6").await, [""; 0]);
    });
}

fn links_lead_to_the_variant(backend: Backend) {
    on(backend, async |library| {
        let show = async |actor, id| library.engine.show(actor, &LOAN, &ObjectKey::Id(id)).await.unwrap().0;
        for (id, url, name) in [(1, "/api/v2/books/1/", "Dune"), (2, "/api/v2/long_films/2/", "Solaris")] {
            let loan = show(&library.reader, id).await;
            assert_eq!(loan["related"]["item"], url);
            assert_eq!(loan["summary_fields"]["item"], json!({"id": id, "name": name}));
        }
        // A hidden object: its type is hidden too.
        let loan = show(&library.reader, 3).await;
        assert_eq!((&loan["item"], loan["related"].get("item")), (&json!(3), None));
        assert_eq!(loan["summary_fields"].get("item"), None);
        assert_eq!(show(&library.superuser, 3).await["related"]["item"], "/api/v2/books/3/");
    });
}

fn statements_do_not_depend_on_rows(backend: Backend) {
    on(backend, async |library| {
        let mut counts = vec![];
        for query in ["id__lte=2&page_size=2", "page_size=4"] {
            let (list, count) = count_statements(library.list(&library.superuser, &ITEM, query)).await;
            list.unwrap();
            counts.push(count);
        }
        assert_eq!(counts[0], counts[1], "{backend}");
    });
}
