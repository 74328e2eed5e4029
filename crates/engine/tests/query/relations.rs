//! Filters that cross relations, and their access conditions.

use crate::fixture::{CITY, GUARD, PERSON, TAG, ids, people, people_seen, postgres};

#[test]
fn links() {
    for (query, expected) in [
        ("city=1", vec![1, 2]),
        ("city__id=1", vec![1, 2]),
        ("city__pk=1", vec![1, 2]),
        ("city__exact=1", vec![1, 2]),
        ("city__gt=1", vec![3, 4]),
        ("city__in=1,2", vec![1, 2, 3]),
        ("city__id__in=1,2", vec![1, 2, 3]),
        ("city__isnull=true", vec![5]),
        ("city__id__isnull=true", vec![5]),
        ("city=null", vec![5]),
        ("city__isnull=false", vec![1, 2, 3, 4]),
        ("not__city=1", vec![3, 4, 5]),
        ("city__name__icontains=O", vec![1, 2]),
        ("city__country__isnull=true", vec![3, 5]),
        ("city__country=null", vec![3, 5]),
        ("city__country__isnull=false", vec![1, 2, 4]),
        ("city__isnull=false&city__country__isnull=true", vec![3]),
        ("city__name=Bergen&city__country__isnull=true", vec![3]),
        ("not__city__name=Oslo", vec![3, 4, 5]),
        ("not__city__country=Norway", vec![3, 4, 5]),
        ("boss__boss__isnull=true", vec![1, 2, 3, 4, 5]),
        ("boss__name=Ann", vec![2, 3]),
        ("boss__city__name=Oslo", vec![2, 3]),
        ("city__people__name=Ann", vec![1, 2]),
        ("birthplace=3", vec![1]),
        ("birthplace__name=Oslo", vec![2]),
        ("birthplace__isnull=true", vec![3, 4, 5]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn many() {
    for (query, expected) in [
        ("tags=1", vec![1, 2]),
        ("tags__id=1", vec![1, 2]),
        ("tags__in=1,2", vec![1, 2, 3]),
        ("tags__gt=1", vec![1, 3, 4]),
        ("tags__name=red", vec![1, 2]),
        ("tags__isnull=true", vec![5]),
        ("tags=null", vec![5]),
        ("tags__id__isnull=true", vec![5]),
        ("tags__isnull=false", vec![1, 2, 3, 4]),
        ("not__tags__isnull=true", vec![1, 2, 3, 4]),
        ("not__tags__name=red", vec![3, 4, 5]),
        ("tags__color__isnull=true", vec![1, 3, 5]),
        ("not__tags__color__isnull=true", vec![2, 4]),
        ("tags__people__name=Cat", vec![1, 3]),
        ("minions__name=Ben", vec![1]),
        ("minions__isnull=true", vec![2, 3, 4]),
        ("robots=1", vec![]),
        ("robots__name=x", vec![]),
        ("robots__isnull=true", vec![1, 2, 3, 4, 5]),
        ("robots__name__isnull=true", vec![1, 2, 3, 4, 5]),
        ("not__robots__name=x", vec![1, 2, 3, 4, 5]),
        ("or__robots__name=x&or__name=Ann", vec![1]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
    assert_eq!(ids(&CITY, "people__name=Ann", true), [1]);
    assert_eq!(ids(&TAG, "people__city__name=Oslo&order_by=-id", true), [2, 1]);
}

#[test]
fn chained_filters_may_match_other_rows() {
    for (query, expected) in [
        ("tags__name=red&tags__weight=1", vec![1, 2]),
        // No tag is both red and of weight 2 ...
        ("tags__name=red&tags__weight=2", vec![]),
        // ... but Ann has one that is red and another of weight 2.
        ("chain__tags__name=red&chain__tags__weight=2", vec![1]),
        ("tags__name=red&chain__tags__weight=2", vec![1]),
        ("tags__name=red&not__tags__weight=2", vec![2]),
        ("chain__tags__name=red&chain__not__tags__weight=2", vec![2]),
        ("or__tags__name=red&or__tags__name=blue", vec![1, 2, 3]),
        ("tags__name=red&tags__color__isnull=true", vec![]),
        ("tags__name=blue&tags__color__isnull=true", vec![1, 3]),
        ("tags__name=red&tags__isnull=true", vec![]),
        ("tags__isnull=true&tags__color__isnull=true", vec![5]),
        ("minions__name=Ben&minions__minions__isnull=true", vec![1]),
        ("minions__name=Ben&minions__tags__name=blue", vec![]),
        ("minions__name=Cat&minions__tags__name=blue", vec![1]),
        ("minions__tags__name=red&minions__tags__weight=1", vec![1]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn filters_do_not_match_hidden_rows() {
    for (query, all, seen) in [
        ("city__name=Atlantis", vec![4], vec![]),
        ("city__name__startswith=A", vec![4], vec![]),
        ("not__city__name=Atlantis", vec![1, 2, 3, 5], vec![1, 2, 3, 4, 5]),
        ("or__city__name=Atlantis&or__name=Ann", vec![1, 4], vec![1]),
        ("chain__city__name=Atlantis", vec![4], vec![]),
        ("city__search=atlantis", vec![4], vec![]),
        ("tags__name=secret", vec![4], vec![]),
        ("tags=3", vec![4], vec![]),
        ("tags__isnull=false", vec![1, 2, 3, 4], vec![1, 2, 3]),
        ("tags__isnull=true", vec![5], vec![4, 5]),
        ("tags__name__isnull=true", vec![5], vec![4, 5]),
        ("boss__name=Eve", vec![4], vec![]),
        ("boss__tags__isnull=true", vec![1, 4, 5], vec![1, 4, 5]),
        ("birthplace=3", vec![1], vec![]),
        // The row itself shows the id of its city.
        ("city=3", vec![4], vec![4]),
        ("city__id=3", vec![4], vec![4]),
    ] {
        assert_eq!(people(query), all, "{query}, superuser");
        assert_eq!(people_seen(query), seen, "{query}, others");
    }
    assert_eq!(ids(&CITY, "people__name=Eve", false), Vec::<i64>::new());
    assert_eq!(ids(&CITY, "people__boss__name=Eve", true), [3]);
    assert_eq!(ids(&CITY, "people__boss__name=Eve", false), Vec::<i64>::new());
    // Others see no row of this relation.
    assert_eq!(ids(&GUARD, "vault__name=Oslo", true), [1, 2]);
    assert_eq!(ids(&GUARD, "vault__name=Oslo", false), Vec::<i64>::new());
    assert_eq!(ids(&GUARD, "vault__isnull=true", false), [1, 2, 3, 4, 5]);
}

#[test]
fn the_statement_for_postgres() {
    assert_eq!(
        postgres(&PERSON, "tags__name=red&tags__weight=2&not__city__name=Oslo", false),
        "SELECT \"this\".\"id\" FROM \"people\" AS \"this\" WHERE \
         \"this\".\"id\" IN (SELECT \"people_tags\".\"person_id\" FROM \"people_tags\" WHERE \
         \"people_tags\".\"person_id\" IS NOT NULL AND \"people_tags\".\"tag_id\" IN (SELECT \"hop2\".\"id\" FROM \"tags\" AS \"hop2\" WHERE \
         \"hop2\".\"hidden\" = 0 AND \"hop2\".\"name\" = 'red' AND \"hop2\".\"weight\" = 2)) \
         AND (NOT EXISTS(SELECT 1 FROM \"cities\" AS \"hop1\" WHERE \"this\".\"city_id\" = \"hop1\".\"id\" \
         AND \"hop1\".\"hidden\" = 0 AND \"hop1\".\"name\" = 'Oslo')) \
         ORDER BY \"this\".\"id\" ASC"
    );
}
