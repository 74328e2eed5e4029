//! `search` and `<relation>__search`.

use crate::fixture::{PERSON, TAG, ids, people};

#[test]
fn own() {
    for (query, expected) in [
        ("search=ann", vec![1]),
        ("search=AN", vec![1, 4]),
        ("search=ann,ben", vec![]),
        ("search=b,en", vec![2]),
        ("search=ben  benny", vec![2]),
        ("search=be&search=nn", vec![1, 2]),
        ("search=\"b en\"", vec![]),
        ("search='ben' ny", vec![2]),
        ("search=ärm", vec![3]),
        ("search=%", vec![]),
        ("search=", vec![1, 2, 3, 4, 5]),
        ("search= , ", vec![1, 2, 3, 4, 5]),
        // The description lists the password, but it is not searched.
        ("search=sesame", vec![]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn related() {
    for (query, expected) in [
        ("tags__search=RED", vec![1, 2]),
        ("tags__search=red,blue", vec![1]),
        ("tags__search=red&tags__search=blue", vec![1, 2, 3]),
        ("tags__search=red&city__search=bergen", vec![1, 2, 3]),
        ("tags__search=red&name=Ann", vec![1]),
        ("tags__search=re d", vec![]),
        ("tags__search=", vec![1, 2, 3, 4, 5]),
        ("not__tags__search=red", vec![3, 4, 5]),
        ("or__tags__search=red&or__name=Eve", vec![1, 2, 5]),
        ("chain__tags__search=red&chain__tags__search=blue", vec![1]),
        ("city__search=norway", vec![1, 2]),
        ("boss__city__search=oslo", vec![2, 3]),
        ("robots__search=x", vec![]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
    assert_eq!(ids(&TAG, "people__search=benny", true), [1]);
    assert_eq!(ids(&PERSON, "boss__search=eve", false), Vec::<i64>::new());
}
