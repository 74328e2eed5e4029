use super::*;
use std::time::{Duration, Instant};

// Made with Python's hashlib.pbkdf2_hmac.
const DJANGO: &str = "pbkdf2_sha256$1000$NaCl4Salt$27YunWrBEh1DGtffK3bpVY9f5mIBpLwqQTX1ZU1A8Ew=";
const DJANGO_UNICODE: &str = "pbkdf2_sha256$1$seasalt$wvWn/ft8Jo5YkGTfD/0ayNdW4Dp0GikwJ1Kd1akDD4w=";
const DJANGO_REAL: &str = "pbkdf2_sha256$260000$abcdefghijklmnopqrstuv$kW/xJkxctm9cgVVxV3Nm+X1f+tCUz5oV3qZqXJX6eKk=";
const DJANGO_EMPTY: &str = "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=";

// From the tests of the reference implementation; the password is "password".
const REFERENCE: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const REFERENCE_PARALLEL: &str = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";

fn cheap() -> Passwords {
    Passwords::with_cost(8, 1).unwrap()
}

async fn verdict(password: &str, stored: &str) -> PasswordCheck {
    cheap().verify(password.to_owned(), stored.to_owned()).await
}

#[test]
fn default_cost_is_that_of_owasp() {
    let passwords = Passwords::new();
    let params = passwords.argon2.params();
    assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19 * 1024, 2, 1));
}

#[test]
fn invalid_cost_is_an_error() {
    for (memory, passes) in [(0, 1), (7, 1), (8, 0)] {
        assert!(matches!(Passwords::with_cost(memory, passes), Err(HashError::Argon2(_))));
    }
}

#[tokio::test]
async fn hashed_password_verifies() {
    let long = "x".repeat(10_000);
    for password in ["secret", "", " ", "pässwörd🔑", "nul\0inside", &long] {
        let stored = cheap().hash(password.to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$") && stored.len() <= 128, "{stored}");
        assert_eq!(verdict(password, &stored).await, PasswordCheck::Correct);
        assert_eq!(verdict(&format!("{password}x"), &stored).await, PasswordCheck::Wrong);
        assert_eq!(verdict("Secret", &stored).await, PasswordCheck::Wrong);
    }
}

#[tokio::test]
async fn hashes_of_same_password_differ() {
    let passwords = cheap();
    assert_ne!(passwords.hash("secret".into()).await.unwrap(), passwords.hash("secret".into()).await.unwrap());
}

#[tokio::test]
async fn unicode_is_not_normalized() {
    // Both look like "é"; Django distinguishes them as well.
    let stored = cheap().hash("\u{e9}".to_owned()).await.unwrap();
    assert_eq!(verdict("e\u{301}", &stored).await, PasswordCheck::Wrong);
}

#[tokio::test]
async fn argon2_matches_reference_implementation() {
    // The salt of eight bytes is shorter than ours, hence the rehash.
    assert_eq!(verdict("password", REFERENCE).await, PasswordCheck::CorrectNeedsRehash);
    assert_eq!(verdict("password", REFERENCE_PARALLEL).await, PasswordCheck::CorrectNeedsRehash);
    assert_eq!(verdict("Password", REFERENCE).await, PasswordCheck::Wrong);
}

#[tokio::test]
async fn django_hashes() {
    let argon2 = format!("argon2{REFERENCE_PARALLEL}");
    for (password, stored) in [
        ("secret", DJANGO),
        ("pässwörd🔑", DJANGO_UNICODE),
        ("secret", DJANGO_REAL),
        ("", DJANGO_EMPTY),
        ("password", &argon2),
    ] {
        assert_eq!(verdict(password, stored).await, PasswordCheck::CorrectNeedsRehash, "{stored}");
        assert_eq!(verdict("another", stored).await, PasswordCheck::Wrong, "{stored}");
    }
}

#[tokio::test]
async fn rehash_is_requested_until_cost_is_current() {
    let weaker = cheap().hash("secret".to_owned()).await.unwrap();
    for (memory, passes, expected) in [
        (8, 1, PasswordCheck::Correct),
        (16, 1, PasswordCheck::CorrectNeedsRehash),
        (8, 2, PasswordCheck::CorrectNeedsRehash),
    ] {
        let passwords = Passwords::with_cost(memory, passes).unwrap();
        assert_eq!(passwords.verify("secret".into(), weaker.clone()).await, expected);
        assert_eq!(passwords.verify("Secret".into(), weaker.clone()).await, PasswordCheck::Wrong);
        let renewed = passwords.hash("secret".into()).await.unwrap();
        assert_eq!(passwords.verify("secret".into(), renewed).await, PasswordCheck::Correct);
    }
    // A stronger one is no reason: the cost may have been lowered again.
    let stronger = Passwords::with_cost(16, 2).unwrap().hash("secret".into()).await.unwrap();
    assert_eq!(verdict("secret", &stronger).await, PasswordCheck::Correct);
    // Django's own form is one, however strong.
    assert_eq!(verdict("secret", &format!("argon2{stronger}")).await, PasswordCheck::CorrectNeedsRehash);
}

#[tokio::test]
async fn unusable_passwords_never_verify() {
    let ours = cheap().hash("secret".to_owned()).await.unwrap();
    for stored in ["", "!", "!0123456789abcdefghijABCDEFGHIJ0123456789", &format!("!{ours}"), &format!("!{DJANGO}")] {
        for password in ["", "secret", "!", stored] {
            assert_eq!(verdict(password, stored).await, PasswordCheck::Wrong, "{stored:?} {password:?}");
        }
    }
}

#[tokio::test]
async fn malformed_hashes_never_verify() {
    let ours = cheap().hash("secret".to_owned()).await.unwrap();
    let django_argon2 = format!("argon2{ours}");
    let passwords = cheap();
    for valid in [ours.as_str(), &django_argon2, DJANGO] {
        for end in 0..valid.len() {
            let verdict = passwords.verify("secret".into(), valid[..end].to_owned()).await;
            assert_eq!(verdict, PasswordCheck::Wrong, "{:?}", &valid[..end]);
        }
        for position in 0..valid.len() {
            for other in ["", "$", "\0", "ü", "A", "=", ",", "-"] {
                let mut broken = valid.to_owned();
                broken.replace_range(position..=position, other);
                // The last letter of a Base64 text may carry bits that mean nothing.
                if broken != valid && position + 2 < valid.len() {
                    let verdict = passwords.verify("secret".into(), broken.clone()).await;
                    assert_eq!(verdict, PasswordCheck::Wrong, "{broken:?}");
                }
            }
        }
        assert_eq!(passwords.verify("secret".into(), format!("{valid}$")).await, PasswordCheck::Wrong);
        assert_eq!(passwords.verify("secret".into(), format!("{valid}$x")).await, PasswordCheck::Wrong);
    }
}

#[tokio::test]
async fn unknown_hash_schemes_never_verify() {
    for stored in [
        "secret",
        "plain$$secret",
        "md5$salt$d67cd1ee8aa2e5d8d2c1a8e1f9a0a3c4",
        "pbkdf2_sha1$1$x$yb9iKunqNijXRQKUvO6LoyiwVgc=",
        "bcrypt_sha256$$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ] {
        assert_eq!(verdict("secret", stored).await, PasswordCheck::Wrong, "{stored}");
        assert_eq!(verdict("password", stored).await, PasswordCheck::Wrong, "{stored}");
    }
}

#[tokio::test]
async fn work_is_bounded() {
    let hash = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let long = "A".repeat(100_000);
    for stored in [
        "pbkdf2_sha256$5000001$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=".to_owned(),
        "pbkdf2_sha256$4294967295$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=".to_owned(),
        "pbkdf2_sha256$99999999999999999999$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=".to_owned(),
        "pbkdf2_sha256$0$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=".to_owned(),
        "pbkdf2_sha256$-1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=".to_owned(),
        format!("pbkdf2_sha256$1$x${long}"),
        format!("pbkdf2_sha256$1${long}$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc="),
        format!("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ${hash}"),
        format!("$argon2id$v=19$m=524289,t=1,p=1$c29tZXNhbHQ${hash}"),
        format!("$argon2id$v=19$m=256,t=4294967295,p=1$c29tZXNhbHQ${hash}"),
        format!("$argon2id$v=19$m=524288,t=9,p=1$c29tZXNhbHQ${hash}"),
        format!("$argon2id$v=19$m=256,t=1,p=16777215$c29tZXNhbHQ${hash}"),
        format!("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ${long}"),
        format!("$argon2id$v=19$m=256,t=2,p=1${long}${hash}"),
    ] {
        assert_eq!(verdict("password", &stored).await, PasswordCheck::Wrong, "{stored:.80}");
    }
}

#[tokio::test]
#[ignore = "measures time, which other work on the machine distorts"]
async fn unknown_user_takes_as_long_as_known_one() {
    let passwords = Passwords::with_cost(8 * 1024, 2).unwrap();
    let ours = passwords.hash("secret".to_owned()).await.unwrap();
    let django = |iterations: u32| format!("pbkdf2_sha256${iterations}$salt${}=", "A".repeat(43));
    let forms = [None, Some(ours), Some("!".to_owned()), Some(django(100_000)), Some(django(20_000))];
    let mut django_cost = DjangoHashCost::default();
    forms.iter().flatten().for_each(|stored| django_cost.include(stored));
    // The least of several: what else runs on the machine only adds.
    let mut least = [Duration::MAX; 5];
    for _ in 0..10 {
        for (stored, least) in forms.iter().zip(&mut least) {
            let start = Instant::now();
            let verdict = passwords.verify_constant_work("wrong".into(), stored.clone(), django_cost.clone()).await;
            assert_eq!(verdict, PasswordCheck::Wrong);
            *least = start.elapsed().min(*least);
        }
    }
    for other in &least[1..] {
        let ratio = other.as_secs_f64() / least[0].as_secs_f64();
        assert!((0.8..1.25).contains(&ratio), "{least:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_is_limited() {
    let passwords = Arc::new(cheap());
    let cores = passwords.permits.available_permits();
    let most = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks: Vec<_> = (0..cores * 4)
        .map(|_| {
            let (passwords, most, running) = (passwords.clone(), most.clone(), running.clone());
            tokio::spawn(async move {
                let work = move |_: &Argon2<'static>| {
                    use std::sync::atomic::Ordering::SeqCst;
                    most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    running.fetch_sub(1, SeqCst);
                };
                passwords.blocking(work).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(most.load(std::sync::atomic::Ordering::SeqCst), cores);
    assert_eq!(passwords.permits.available_permits(), cores);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_caller_keeps_its_permit() {
    let passwords = cheap();
    let cores = passwords.permits.available_permits();
    let (finish, wait) = std::sync::mpsc::channel::<()>();
    let work = passwords.blocking(move |_| wait.recv().is_ok());
    assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
    assert_eq!(passwords.permits.available_permits(), cores - 1);
    finish.send(()).unwrap();
    while passwords.permits.available_permits() < cores {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn failed_work_releases_its_permit() {
    let passwords = cheap();
    let cores = passwords.permits.available_permits();
    let failed: Result<(), _> = passwords.blocking(|_| panic!("this panic is part of the test")).await;
    assert_eq!(failed, Err(HashError::Interrupted));
    assert_eq!(passwords.permits.available_permits(), cores);
}

#[test]
fn debug_shows_the_cost_only() {
    let shown = format!("{:?}", cheap());
    assert!(shown.contains("m_cost: 8"), "{shown}");
}
