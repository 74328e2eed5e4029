//! Measurements. They assert no time: run them alone, and read what they print.

use std::sync::Arc;
use std::time::Instant;

use crate::fixture::Fixture;

/// `cargo test -p hostler-projects --release --test projects -- --ignored --nocapture twenty`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn twenty_checkouts_of_twenty_thousand_files() {
    let fixture = Arc::new(Fixture::new().await);
    let repository = fixture.repository("a");
    let text = "x".repeat(5000);
    (0..20_000)
        .for_each(|number| repository.write(&format!("{}/{number}.yml", number / 100), &format!("{number}{text}")));
    repository.commit();
    let source = repository.source();
    let started = Instant::now();
    let commit = fixture.update(&source).await.unwrap();
    println!("update: {:?}", started.elapsed());
    for round in 0..2 {
        let started = Instant::now();
        let mut jobs = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (fixture, source, commit) = (fixture.clone(), source.clone(), commit.clone());
            jobs.spawn(async move {
                fixture.checkout(&source, &commit, &format!("job-{round}-{number}")).await.unwrap();
                started.elapsed()
            });
        }
        let mut times = jobs.join_all().await;
        times.sort();
        println!("round {round}: first {:?}, last {:?}", times[0], times[19]);
    }
    let started = Instant::now();
    let files = fixture.checkout(&source, &commit, "job-x").await.unwrap().path;
    println!("one more: {:?}", started.elapsed());
    let started = Instant::now();
    println!("{} playbooks: {:?}", hostler_projects::playbooks(&files, false).len(), started.elapsed());
}
