//! `order_by`.

use hostler_database::Dialect;
use hostler_engine::query::QueryError;

use crate::fixture::{CITY, PERSON, TAG, ids, people, people_seen, postgres, read, refusal};

#[test]
fn fields() {
    for (query, expected) in [
        ("order_by=-id", vec![5, 4, 3, 2, 1]),
        ("order_by=active,-id", vec![4, 3, 5, 2, 1]),
        ("order_by=active", vec![3, 4, 1, 2, 5]),
        ("order_by=active&order_by=-name", vec![4, 3, 5, 2, 1]),
        ("order=-name", vec![5, 4, 3, 2, 1]),
        ("order_by=", vec![1, 2, 3, 4, 5]),
        ("order_by= -id ,", vec![5, 4, 3, 2, 1]),
        ("order_by=-pk", vec![5, 4, 3, 2, 1]),
        // NULL is the greatest.
        ("order_by=age", vec![2, 1, 5, 4, 3]),
        ("order_by=-age", vec![3, 4, 5, 1, 2]),
        ("order_by=city", vec![1, 2, 3, 4, 5]),
        ("order_by=-city", vec![5, 4, 3, 2, 1]),
        ("order_by=agent,-id", vec![5, 4, 3, 2, 1]),
        ("order_by=active,active,-id,name", vec![4, 3, 5, 2, 1]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn fields_of_linked_objects() {
    assert_eq!(people("order_by=city__name"), [4, 3, 1, 2, 5]);
    // Rows with equal values are ordered by id, in the same direction.
    assert_eq!(people("order_by=-city__name"), [5, 2, 1, 3, 4]);
    // A hidden city has no effect on the order.
    assert_eq!(people_seen("order_by=city__name"), [3, 1, 2, 4, 5]);
    assert_eq!(people("order_by=-boss__city__name"), [5, 4, 1, 3, 2]);
    assert_eq!(people("order_by=birthplace"), [2, 1, 3, 4, 5]);
    assert_eq!(people_seen("order_by=-birthplace"), [5, 4, 3, 1, 2]);
    assert_eq!(people("order_by=robots__name,-id"), [5, 4, 3, 2, 1]);
}

#[test]
fn not_through_many() {
    for (resource, query, detail) in [
        (&PERSON, "order_by=tags__name", "Cannot order by 'tags__name': tags may lead to several objects."),
        (&PERSON, "order_by=-minions", "Cannot order by 'minions': minions may lead to several objects."),
        (
            &TAG,
            "order_by=people__city__name",
            "Cannot order by 'people__city__name': people may lead to several objects.",
        ),
        (&CITY, "order_by=people", "Cannot order by 'people': people may lead to several objects."),
        (&PERSON, "order_by=name__icontains", "No related model for field icontains."),
    ] {
        assert_eq!(refusal(resource, query), QueryError::BadRequest(detail.to_owned()), "{query}");
    }
}

#[test]
fn order_always_ends_with_id() {
    let last = |query| read(&PERSON, query, true, Dialect::Postgres).unwrap().order.len();
    assert_eq!(last(""), 1);
    assert_eq!(last("order_by=name"), 2);
    assert_eq!(last("order_by=age"), 2);
    assert_eq!(last("order_by=id,name"), 1);
    assert_eq!(ids(&CITY, "order_by=-country", true), [2, 3, 1]);
}

#[test]
fn the_statement_for_postgres() {
    assert_eq!(
        postgres(&PERSON, "order_by=-city__name", false),
        "SELECT \"this\".\"id\" FROM \"people\" AS \"this\" WHERE TRUE ORDER BY \
         (SELECT \"hop1\".\"name\" FROM \"cities\" AS \"hop1\" WHERE \"this\".\"city_id\" = \"hop1\".\"id\" \
         AND \"hop1\".\"hidden\" = 0) DESC, \"this\".\"id\" DESC"
    );
}
