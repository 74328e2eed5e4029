//! Pages, counts and the links between pages.

use hostler_database::Dialect;
use hostler_engine::query::{Page, PageNumber, QueryError, page_link};

use crate::fixture::{PERSON, pairs, read, refusal};

fn page(query: &str) -> Page {
    read(&PERSON, query, true, Dialect::Sqlite).unwrap().page
}

#[test]
fn sizes() {
    for (query, size) in [
        ("", 25),
        ("page_size=2", 2),
        ("page_size=0", 25),
        ("page_size=-1", 25),
        ("page_size=x", 25),
        ("page_size=", 25),
        ("page_size=200", 200),
        ("page_size=201", 200),
        ("page_size=18446744073709551615", 200),
        ("page_size=18446744073709551616", 25),
        ("page_size=3&page_size=4", 4),
    ] {
        assert_eq!(page(query), Page { number: PageNumber::At(1), size }, "{query}");
    }
}

#[test]
fn numbers() {
    assert_eq!(page("page=9").number, PageNumber::At(9));
    assert_eq!(page("page=").number, PageNumber::At(1));
    assert_eq!(page("page=last").number, PageNumber::Last);
    assert_eq!(page("page=x&page=2").number, PageNumber::At(2));
    for query in ["page=x", "page=0", "page=-1", "page=1.5", "page=9223372036854775807", "page=99999999999999999999"] {
        assert_eq!(refusal(&PERSON, query), QueryError::NotFound("Invalid page.".to_owned()), "{query}");
    }
}

#[test]
fn counts() {
    assert!(read(&PERSON, "", true, Dialect::Sqlite).unwrap().count);
    assert!(!read(&PERSON, "count_disabled=1", true, Dialect::Sqlite).unwrap().count);
}

#[test]
fn links() {
    for (query, to, link) in [
        ("", 2, "/api/v2/people/?page=2"),
        ("page_size=2&last_name=x", 2, "/api/v2/people/?last_name=x&page=2&page_size=2"),
        ("last_name=x&page_size=2&page=2", 1, "/api/v2/people/?last_name=x&page=1&page_size=2"),
        ("page=last&or__name=b&or__name=a", 3, "/api/v2/people/?or__name=b&or__name=a&page=3"),
        ("search=a b,ü~-_.", 2, "/api/v2/people/?page=2&search=a+b%2C%C3%BC~-_."),
        ("name=a+b&x", 2, "/api/v2/people/?name=a%2Bb&page=2&x="),
    ] {
        assert_eq!(page_link("/api/v2/people/", &pairs(query), to), link, "{query}");
    }
}
