//! Named URLs in paths.
#![no_main]

use hostler_fuzz::resource;
use libfuzzer_sys::fuzz_target;
use sea_query::{PostgresQueryBuilder, Query};

fuzz_target!(|data: &[u8]| {
    let Some((resource, name)) = resource(data) else { return };
    let Ok(name) = std::str::from_utf8(name) else { return };
    let fits = hostler_engine::fuzzing::fits(resource, name);
    let Some(condition) = hostler_engine::fuzzing::named(resource, name) else {
        assert!(!fits, "it is taken for a name of {} and is none: {name:?}", resource.name);
        return;
    };
    let (text, values) =
        Query::select().from_as(resource.table, "row").cond_where(condition).build(PostgresQueryBuilder);
    assert_eq!(text.matches('$').count(), values.0.len(), "a part of the name is in the statement: {text}");
});
