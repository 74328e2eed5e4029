//! Comparisons of a row's own columns.

use hostler_database::Dialect;

use crate::fixture::{PERSON, people, postgres, read};

#[test]
fn texts() {
    for (query, expected) in [
        ("", vec![1, 2, 3, 4, 5]),
        ("name=Ann", vec![1]),
        ("name=ann", vec![]),
        ("name__exact=Ann", vec![1]),
        ("name__iexact=ANN", vec![1]),
        ("nick__iexact=ärmel", vec![3]),
        ("nick__icontains=ä", vec![3]),
        ("name__contains=n", vec![1, 2, 4]),
        ("name__contains=%", vec![]),
        ("name__icontains=A", vec![1, 3, 4]),
        ("name__startswith=A", vec![1]),
        ("name__istartswith=a", vec![1]),
        ("name__endswith=n", vec![1, 2, 4]),
        ("name__iendswith=N", vec![1, 2, 4]),
        ("name__regex=^[AB]", vec![1, 2]),
        ("name__iregex=^[ab]", vec![1, 2]),
        ("name__gt=Cat", vec![4, 5]),
        ("name__gte=Cat", vec![3, 4, 5]),
        ("name__lt=Ben", vec![1]),
        ("name__lte=Ben", vec![1, 2]),
        ("name__in=Ann,Ben,Zoe", vec![1, 2]),
        ("name__int=1", vec![]),
        ("name__startswith__int=1", vec![]),
        ("notes__icontains=straße", vec![1]),
        ("notes__regex=^.\"k\"", vec![1]),
        ("name=' OR 1=1 --", vec![]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn numbers() {
    for (query, expected) in [
        ("id=1", vec![1]),
        ("id= +1 ", vec![1]),
        ("pk=1", vec![1]),
        ("pk__in=1,2", vec![1, 2]),
        ("id__in=1, 3,99", vec![1, 3]),
        ("age__gt=31", vec![4, 5]),
        ("age__gte=31", vec![1, 4, 5]),
        ("age__lt=31", vec![2]),
        ("age__lte=31", vec![1, 2]),
        ("age__startswith=1", vec![2, 4]),
        ("age__icontains=12", vec![2, 4]),
        ("age__regex=^.1$", vec![1]),
        ("age__int=12", vec![2]),
        ("age__gt__int=40", vec![4]),
        ("id=-9223372036854775808", vec![]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn truths_and_nulls() {
    for (query, expected) in [
        ("active=TRUE", vec![1, 2, 5]),
        ("active=0", vec![3, 4]),
        ("active=no", vec![3, 4]),
        ("active__in=true,false", vec![1, 2, 3, 4, 5]),
        ("age__isnull=true", vec![3]),
        ("age__isnull=0", vec![1, 2, 4, 5]),
        ("age=null", vec![3]),
        ("age=None", vec![3]),
        ("age__in=12,null", vec![2]),
        ("age__in=null", vec![]),
        ("nick=NULL", vec![1, 5]),
        // For a field that is not nullable, the word is an ordinary text.
        ("name=null", vec![]),
        ("agent=1", vec![]),
        ("agent__isnull=true", vec![1, 2, 3, 4, 5]),
        ("agent=null", vec![1, 2, 3, 4, 5]),
        ("agent__isnull=false", vec![]),
        ("agent__name__icontains=x", vec![]),
        ("agent__search=x", vec![]),
        ("not__agent=1", vec![1, 2, 3, 4, 5]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn moments() {
    for (query, expected) in [
        ("born=2020-01-01", vec![1]),
        ("born=2020-01-01T00:00", vec![1]),
        ("born=2020-01-01 00:00:00Z", vec![1]),
        ("born=2020-01-01T01:00:00.0+01:00", vec![1]),
        ("born=2019-12-31T19:00:00 -0500", vec![1]),
        ("born=2020-01-01T00:00:00.000001Z", vec![2]),
        ("born=2020-01-01T00:00:00.0000019Z", vec![2]),
        ("born__gt=2020-01-01", vec![2, 4]),
        ("born__lte=2020-01-01", vec![1]),
        ("born__in=2020-01-01,2021-1-1", vec![1, 4]),
        ("born__gte=2020-01-01&born__lt=2021-01-01", vec![1, 2]),
        ("born__isnull=true", vec![3, 5]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn combinations() {
    for (query, expected) in [
        ("active=true&name__contains=n", vec![1, 2]),
        ("not__name=Ann", vec![2, 3, 4, 5]),
        ("not__name=Ann&not__name=Ben", vec![3, 4, 5]),
        // NULL is not equal to any value.
        ("not__age=12", vec![1, 3, 4, 5]),
        ("not__age__gt=12", vec![2, 3]),
        ("not__age__in=12,31", vec![3, 4, 5]),
        ("not__nick__icontains=benny", vec![1, 3, 4, 5]),
        ("not__age=null", vec![1, 2, 4, 5]),
        ("not__age__isnull=false", vec![3]),
        ("or__name=Ann&or__name=Ben", vec![1, 2]),
        ("or__name=Ann&or__not__active=true", vec![1, 3, 4]),
        ("or__not__name=Ann&or__name=Ann", vec![1, 2, 3, 4, 5]),
        ("not__or__active=true&or__name=Ann", vec![1, 3, 4]),
        ("active=true&or__name=Ann&or__name=Cat", vec![1]),
        ("chain__active=true&chain__not__name=Ann", vec![2, 5]),
        ("chain__or__name=Ann&or__chain__name=Ben&active=1", vec![1, 2]),
        ("=x&limit=2&format=json&page_size=1&validate=x&no_truncate=1", vec![1, 2, 3, 4, 5]),
    ] {
        assert_eq!(people(query), expected, "{query}");
    }
}

#[test]
fn the_statement_for_postgres() {
    assert_eq!(
        postgres(&PERSON, "age__startswith=1&not__name=Ann&active=true&born__gt=2020-01-01&order_by=-age", true),
        "SELECT \"this\".\"id\" FROM \"people\" AS \"this\" WHERE \
         ((CAST(\"this\".\"age\" AS text) ~>=~ '1' AND CAST(\"this\".\"age\" AS text) ~<~ '2')) AND \"this\".\"active\" = TRUE AND \
         \"this\".\"born\" > '2020-01-01T00:00:00Z' AND (NOT COALESCE(\"this\".\"name\" = 'Ann', FALSE)) \
         ORDER BY \"this\".\"age\" DESC, \"this\".\"id\" DESC"
    );
}

#[test]
fn query_without_filters_has_no_condition() {
    for query in ["", "order_by=name&page=2&format=json", "search=&type=job,person"] {
        assert!(read(&PERSON, query, true, Dialect::Sqlite).unwrap().filter.is_empty(), "{query}");
    }
}
