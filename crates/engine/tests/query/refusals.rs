//! The exact error messages of rejected queries.

use hostler_engine::query::QueryError::{self, BadRequest, Forbidden};

use crate::fixture::{CITY, PERSON, refusal};

fn bad(detail: &str) -> QueryError {
    BadRequest(detail.to_owned())
}

#[test]
fn unknown_names() {
    for (query, detail) in [
        ("nope=1", "Person has no field named 'nope'"),
        ("not__nope=1", "Person has no field named 'nope'"),
        ("order_by=nope", "Person has no field named 'nope'"),
        ("order_by=name,-nope", "Person has no field named 'nope'"),
        ("mood=1", "Person has no field named 'mood'"),
        ("order_by=mood", "Person has no field named 'mood'"),
        ("city__nope=1", "City has no field named 'nope'"),
        ("city__nope__search=1", "City has no field named 'nope'"),
        ("city__people__nope__in=1", "Person has no field named 'nope'"),
        ("name__nope=1", "No related model for field nope."),
        ("name__nope__exact=1", "No related model for field nope."),
        ("tags__name__year=1", "No related model for field year."),
        ("name__=1", "No related model for field ."),
        ("name__search=x", "name is not searchable"),
        ("city__name__search=x", "name is not searchable"),
        ("or__=1", "Person has no field named ''"),
    ] {
        assert_eq!(refusal(&PERSON, query), bad(detail), "{query}");
    }
}

#[test]
fn secrets() {
    let expected = Forbidden("Filtering on password is not allowed.".to_owned());
    for query in [
        "password=x",
        "password__startswith=a",
        "password__isnull=true",
        "not__password=x",
        "or__password__regex=x",
        "order_by=password",
        "order_by=-password",
        "boss__password=x",
        "minions__boss__password__gt=x",
        "order_by=boss__password",
        "password__search=x",
        "password__nope=x",
    ] {
        assert_eq!(refusal(&PERSON, query), expected, "{query}");
    }
    assert_eq!(refusal(&CITY, "people__password=x"), expected);
    assert_eq!(refusal(&PERSON, "city__seal=x"), Forbidden("Filtering on seal is not allowed.".to_owned()));
}

#[test]
fn values() {
    let format = "It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format.";
    for (query, detail) in [
        ("active=x", "Unable to convert \"x\" to boolean"),
        ("active=null", "Unable to convert \"null\" to boolean"),
        ("nick__isnull=maybe", "Unable to convert \"maybe\" to boolean"),
        ("tags__isnull=maybe", "Unable to convert \"maybe\" to boolean"),
        ("id=x", "[\"“x” value must be an integer.\"]"),
        ("id__in=1,x", "[\"“x” value must be an integer.\"]"),
        ("id__in=1,,2", "[\"“” value must be an integer.\"]"),
        ("id__in=", "cannot provide empty value for __in"),
        ("id__contains=s", "[\"“s” value must be an integer.\"]"),
        ("id=a\n", "[\"“a\\u000a” value must be an integer.\"]"),
        ("id=a\"b\\", "[\"“a\\\"b\\\\” value must be an integer.\"]"),
        ("id=9223372036854775808", "[\"“9223372036854775808” value is too large for an integer of 64 bits.\"]"),
        ("city=-99999999999999999999", "[\"“-99999999999999999999” value is too large for an integer of 64 bits.\"]"),
        ("city=x", "invalid literal for int() with base 10: 'x'"),
        ("tags=x", "invalid literal for int() with base 10: 'x'"),
        ("name__int=x", "invalid literal for int() with base 10: 'x'"),
        ("agent=x", "invalid literal for int() with base 10: 'x'"),
        ("city__icontains=1", "Related Field got invalid lookup: icontains"),
        ("tags__regex=1", "Related Field got invalid lookup: regex"),
        ("active__contains=1", "Unsupported lookup 'contains' for BooleanField or join on the field not permitted."),
        ("born__regex=1", "Unsupported lookup 'regex' for DateTimeField or join on the field not permitted."),
        ("age__gt=null", "Cannot use None as a query value"),
        ("name=a\0b", "A string literal cannot contain NUL (0x00) characters."),
        ("search=a\0b", "A string literal cannot contain NUL (0x00) characters."),
        ("tags__search=a\0b", "A string literal cannot contain NUL (0x00) characters."),
        ("name__in=a,b\0", "A string literal cannot contain NUL (0x00) characters."),
        ("name__regex=\0", "A string literal cannot contain NUL (0x00) characters."),
    ] {
        assert_eq!(refusal(&PERSON, query), bad(detail), "{query}");
    }
    for text in
        ["junk", "2020", "2020-01", "2020-01-01T", "2020-01-01T10", "2020-01-01x10:00", "2020-01-01 10:00 Europe", ""]
    {
        let detail = format!("[\"“{text}” value has an invalid format. {format}\"]");
        assert_eq!(refusal(&PERSON, &format!("born__gt={text}")), bad(&detail), "{text}");
    }
    let detail = "[\"“2020-02-30” value has the correct format (YYYY-MM-DD) but it is an invalid date.\"]";
    assert_eq!(refusal(&PERSON, "born=2020-02-30"), bad(detail));
    let correct = "value has the correct format (YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ]) but it is an invalid date/time.";
    for text in ["2020-01-01 25:00", "0000-01-01 00:00", "9999-12-31 23:59-23:59"] {
        let found = refusal(&PERSON, &format!("born={text}"));
        assert_eq!(found, bad(&format!("[\"“{text}” {correct}\"]")), "{text}");
    }
}

#[test]
fn patterns() {
    for query in ["name__regex=(", "name__iregex=[", "age__regex=*", "tags__name__regex=("] {
        assert!(refusal(&PERSON, query).detail().starts_with("Invalid regular expression"), "{query}");
    }
}
