//! Filters and orders of events.

use hostler_testkit::{Backend, on_each_backend};

use super::{Fixture, results};

on_each_backend!(
    fields_filter,
    texts_filter,
    filters_combine,
    lists_are_ordered,
    limit_gives_the_first_events,
    invalid_filters_are_refused,
    jobs_filter_by_events
);

fn check(fixture: &Fixture, cases: &[(&str, &[i64])]) {
    for (query, expected) in cases {
        assert_eq!(fixture.counters(query), *expected, "{query}");
    }
}

fn fields_filter(backend: Backend) {
    let fixture = Fixture::start(backend);
    check(
        &fixture,
        &[
            ("?event=runner_on_ok", &[5, 6]),
            ("?event=nosuch", &[]),
            ("?event__in=playbook_on_start,playbook_on_stats", &[2, 10]),
            ("?event__startswith=runner", &[5, 6, 8, 9]),
            ("?host_name=one", &[5, 8]),
            ("?host_name=", &[1, 2, 3, 4, 7, 10]),
            ("?host__name=two", &[6, 9]),
            ("?host__isnull=true", &[1, 2, 3, 4, 7, 10]),
            ("?task=copy", &[4, 5, 6]),
            ("?task__icontains=OP", &[4, 5, 6]),
            ("?play=web&event__startswith=playbook", &[3, 4, 7]),
            ("?role=x", &[]),
            ("?failed=true", &[7, 8, 9, 10]),
            ("?changed=true", &[4, 5, 10]),
            ("?counter__lte=2", &[1, 2]),
            ("?counter__in=3,1", &[1, 3]),
            ("?start_line__gte=3&end_line__lte=6", &[4, 5]),
            ("?uuid=task1", &[4]),
            ("?uuid__in=task1,task2,other", &[4, 7]),
            ("?parent_uuid=task2", &[8, 9]),
            ("?parent_uuid=", &[1, 2]),
            ("?task__isnull=true", &[]),
        ],
    );
    let host = fixture.host("one");
    assert_eq!(fixture.counters(&format!("?host={host}&event=runner_on_ok")), [5]);
    assert_eq!(fixture.counters(&format!("?job__id={}", fixture.job)).len(), 10);
}

fn texts_filter(backend: Backend) {
    let fixture = Fixture::start(backend);
    check(
        &fixture,
        &[
            ("?stdout__icontains=recap", &[10]),
            ("?stdout__contains=recap", &[]),
            ("?stdout__regex=%5Efatal", &[9]),
            ("?stdout=", &[2]),
            ("?stdout__startswith=Using", &[1]),
            ("?search=UNREACHABLE", &[9]),
            ("?search=fatal+one", &[8]),
            ("?event_data__icontains=motd", &[5]),
            ("?not__stdout__icontains=%5B", &[1, 2, 10]),
        ],
    );
}

fn filters_combine(backend: Backend) {
    let fixture = Fixture::start(backend);
    check(
        &fixture,
        &[
            ("?or__event=runner_on_failed&or__event=runner_on_unreachable", &[8, 9]),
            ("?or__stdout__icontains=recap&or__task=copy", &[4, 5, 6, 10]),
            ("?not__event__startswith=runner", &[1, 2, 3, 4, 7, 10]),
            ("?not__host_name=one&event__startswith=runner", &[6, 9]),
            ("?chain__host_name=one&chain__task=try", &[8]),
            ("?or__uuid=task1&or__parent_uuid=task2", &[4, 8, 9]),
        ],
    );
}

fn lists_are_ordered(backend: Backend) {
    let fixture = Fixture::start(backend);
    check(
        &fixture,
        &[
            ("?order_by=-counter", &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
            ("?order_by=-start_line&counter__lte=3", &[3, 2, 1]),
            ("?event__startswith=runner&order_by=host_name,-counter", &[8, 5, 9, 6]),
            ("?event__startswith=runner&order_by=-event", &[9, 6, 5, 8]),
        ],
    );
    let page = fixture.events("?page_size=3&page=2&order_by=counter");
    assert_eq!((&page["count"], &page["results"][0]["counter"]), (&10.into(), &4.into()));
    let last = fixture.events("?page_size=3&page=last");
    assert_eq!(last["results"][0]["counter"], 10);
}

fn limit_gives_the_first_events(backend: Backend) {
    let fixture = Fixture::start(backend);
    // As in AWX, without a count and links; pages are ignored, and what is no number is the usual size.
    for (query, counters) in [
        ("?limit=2&order_by=-counter", vec![10, 9]),
        ("?limit=1&page=3&page_size=5&order_by=counter", vec![1]),
        ("?limit=0&counter__gt=8&order_by=counter", vec![9, 10]),
        ("?limit=x&counter__gt=8&order_by=counter", vec![9, 10]),
    ] {
        let found = fixture.events(query);
        let shown: Vec<i64> = results(&found).iter().filter_map(|event| event["counter"].as_i64()).collect();
        assert_eq!(shown, counters, "{query}");
        assert_eq!(found.as_object().map(|keys| keys.len()), Some(1), "{query}");
    }
    let hosts = fixture.admin.get("/api/v2/hosts/?limit=1").expect(200).json();
    assert!(hosts["count"].is_number(), "{hosts}");
}

fn invalid_filters_are_refused(backend: Backend) {
    let fixture = Fixture::start(backend);
    for query in [
        "uuid__icontains=a",
        "parent_uuid__startswith=a",
        "stdout__regex=(",
        "counter=x",
        "nosuch=1",
        "event_display=x",
        "event_level=1",
    ] {
        fixture.admin.get(&format!("/api/v2/jobs/{}/job_events/?{query}", fixture.job)).expect(400);
    }
}

fn jobs_filter_by_events(backend: Backend) {
    let fixture = Fixture::start(backend);
    fixture.add_job();
    let count = |query: &str| fixture.admin.get(&format!("/api/v2/jobs/?{query}")).expect(200).json()["count"].clone();
    assert_eq!(count("job_events__event=runner_on_failed"), 1);
    assert_eq!(count("job_events__task=copy&job_events__host_name=one"), 1);
    assert_eq!(count("job_events__event=runner_on_skipped"), 0);
    assert_eq!(count("job_host_summaries__failed=true"), 1);
    fixture.admin.get("/api/v2/jobs/?job_events__stdout__icontains=ok").expect(400);
}
