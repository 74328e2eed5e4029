//! Prints what the operations paid on every request cost on this machine:
//! `cargo run --release -p hostler-identity --example cost`.

use hostler_identity::{
    key::SecretKey,
    password::{DjangoHashCost, Passwords},
    password_cache::{DEFAULT_TTL, PasswordCache},
    session::binding,
    token::{digest, new_token},
};
use std::{hint::black_box, time::Instant};

const PASSWORD: &str = "correct horse battery staple";

fn report(what: &str, times: u32, mut work: impl FnMut()) {
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    println!("{what:<40} {:>12.3?}", start.elapsed() / times);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let passwords = Passwords::new();
    let stored = runtime.block_on(passwords.hash(PASSWORD.to_owned()))?;

    report("hash a password", 20, || {
        black_box(runtime.block_on(passwords.hash(PASSWORD.to_owned())).is_ok());
    });
    report("verify a password", 20, || {
        let _ = runtime.block_on(passwords.verify(PASSWORD.to_owned(), stored.clone()));
    });
    report("verify for an unknown user", 20, || {
        let _ = runtime.block_on(passwords.verify_constant_work(PASSWORD.to_owned(), None, DjangoHashCost::default()));
    });
    let django = "pbkdf2_sha256$600000$abcdefghijklmnopqrstuv$kW/xJkxctm9cgVVxV3Nm+X1f+tCUz5oV3qZqXJX6eKk=";
    report("verify Django's, 600,000 iterations", 5, || {
        let _ = runtime.block_on(passwords.verify(PASSWORD.to_owned(), django.to_owned()));
    });

    let cache = PasswordCache::new(DEFAULT_TTL);
    for user in 0..5_000 {
        cache.insert("here", &format!("user{user}"), PASSWORD, &stored);
    }
    report("find a cached password", 1_000_000, || {
        black_box(cache.contains("here", "user7", PASSWORD, &stored));
    });
    report("miss a cached password", 1_000_000, || {
        black_box(cache.contains("here", "nobody", PASSWORD, &stored));
    });

    let token = new_token().plain;
    report("digest a token", 1_000_000, || {
        black_box(digest(&token));
    });
    let key = SecretKey::from_bytes([7; 64]);
    report("bind a session", 1_000_000, || {
        black_box(binding(&key, 7, &stored));
    });
    Ok(())
}
