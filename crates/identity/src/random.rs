//! Randomness from the operating system.

/// `N` unpredictable bytes.
///
/// Panics if the operating system has none: every caller generates a secret, and a
/// guessable secret is worse than a failed request.
#[expect(clippy::expect_used, reason = "without randomness no secret can be generated")]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// `length` letters and digits, drawn evenly from `A-Z a-z 0-9`.
pub(crate) fn alphanumeric(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // The largest multiple of 62 in a byte. Larger values are discarded, because they
    // would make the first letters likelier than the rest.
    const EVEN: u8 = 62 * 4;

    let mut text = String::with_capacity(length);
    while text.len() < length {
        let drawn = bytes::<64>().into_iter().filter(|byte| *byte < EVEN);
        text.extend(drawn.take(length - text.len()).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn alphanumeric_has_the_length_asked_for() {
        for length in [0, 1, 30, 63, 64, 65, 500] {
            let text = alphanumeric(length);
            assert_eq!(text.len(), length);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn every_letter_is_about_as_likely() {
        let mut counts = BTreeMap::new();
        for letter in alphanumeric(62_000).chars() {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        // The expected count is 1000 with a deviation of 31: 250 is eight of
        // them, and a bias by the modulo would show as 1200 against 970.
        assert!(counts.values().all(|count| (750..1250).contains(count)), "{counts:?}");
    }
}
