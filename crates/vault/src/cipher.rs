//! One key, and the text form of what it seals.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use hostler_identity::key::SecretKey;
use zeroize::Zeroizing;

use crate::{Place, VaultError};

/// What every sealed text starts with: the name of the form, and its version.
/// `$hostler$1$<key id>$<base64 of nonce, ciphertext and tag>`.
pub(crate) const BEGINNING: &str = "$hostler$1$";
/// Bytes of a nonce (NIST SP 800-38D: 96 bits). Drawn at random, which is safe
/// for 2^32 texts under one key.
const NONCE: usize = 12;

/// Whether a text has the form of a sealed secret.
pub fn is_sealed(text: &str) -> bool {
    key_of(text).is_some()
}

/// The id of the key that sealed a text, if it has the form of a sealed secret.
pub fn key_of(sealed: &str) -> Option<&str> {
    parts(sealed).map(|(id, _)| id)
}

/// Key id and base64 of a sealed text.
fn parts(sealed: &str) -> Option<(&str, &str)> {
    let (id, data) = sealed.strip_prefix(BEGINNING)?.split_once('$')?;
    (id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some((id, data))
}

/// A key ready for use.
pub(crate) struct Cipher {
    id: String,
    cipher: Aes256Gcm,
}

impl Cipher {
    pub(crate) fn new(key: &SecretKey) -> Self {
        let derived = Zeroizing::new(key.derive("vault aes-256-gcm"));
        // Tells keys apart and says nothing of them.
        let id = hex::encode(&key.derive("vault key id")[..8]);
        Cipher { id, cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*derived)) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    #[expect(clippy::expect_used, reason = "randomness is given, and AES-GCM refuses only texts beyond 64 GB")]
    pub(crate) fn seal(&self, place: &Place<'_>, plain: &str) -> String {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("the operating system gives randomness");
        let payload = Payload { msg: plain.as_bytes(), aad: &self.bound(place) };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).expect("a secret fits into memory");
        let mut data = nonce.to_vec();
        data.extend(sealed);
        format!("{BEGINNING}{}${}", self.id, BASE64_STANDARD_NO_PAD.encode(data))
    }

    pub(crate) fn open(&self, place: &Place<'_>, sealed: &str) -> Result<Zeroizing<String>, VaultError> {
        let (_, data) = parts(sealed).ok_or(VaultError::Malformed)?;
        let data = BASE64_STANDARD_NO_PAD.decode(data).map_err(|_| VaultError::Malformed)?;
        let (nonce, sealed) = data.split_first_chunk::<NONCE>().ok_or(VaultError::Malformed)?;
        let payload = Payload { msg: sealed, aad: &self.bound(place) };
        let mut plain =
            Zeroizing::new(self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::Refused)?);
        let text = String::from_utf8(std::mem::take(&mut *plain)).map_err(|_| VaultError::Refused)?;
        Ok(Zeroizing::new(text))
    }

    /// What the ciphertext is bound to: form, key and place.
    fn bound(&self, place: &Place<'_>) -> Vec<u8> {
        let mut bytes = [BEGINNING, &self.id, "$"].concat().into_bytes();
        bytes.extend(place.bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'static> = Place::new("credential", 7, "password");

    fn cipher(seed: u8) -> Cipher {
        Cipher::new(&SecretKey::from_bytes([seed; 64]))
    }

    #[test]
    fn what_is_sealed_opens_at_its_place() {
        for plain in ["", "secret", "größer 💥\n", &"x".repeat(100_000)] {
            let sealed = cipher(1).seal(&HERE, plain);
            assert!(is_sealed(&sealed) && sealed.is_ascii());
            assert!(plain.is_empty() || !sealed.contains(plain));
            assert_eq!(*cipher(1).open(&HERE, &sealed).unwrap(), plain);
        }
    }

    #[test]
    fn agrees_with_another_implementation() {
        // By Python's cryptography, from RFC 5869 and the form above:
        // derive = lambda info: HKDF(SHA256(), 32, None, info).derive(bytes([1]) * 64)
        // header = b"$hostler$1$" + derive(b"vault key id")[:8].hex().encode() + b"$"
        // part = lambda b: len(b).to_bytes(8, "big") + b
        // place = part(b"credential") + part((7).to_bytes(8, "big")) + part(b"password")
        // header + b64(bytes(range(12)) + AESGCM(derive(b"vault aes-256-gcm")).encrypt(bytes(range(12)), b"secret", header + place))
        let sealed = "$hostler$1$268d0bfae33e7a94$AAECAwQFBgcICQoLbraZO6n5pmPM3FZzDi7V5KDAocfUsQ";
        assert_eq!(*cipher(1).open(&HERE, sealed).unwrap(), "secret");
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        assert_ne!(cipher(1).seal(&HERE, "secret"), cipher(1).seal(&HERE, "secret"));
    }

    #[test]
    fn elsewhere_it_does_not_open() {
        let sealed = cipher(1).seal(&HERE, "secret");
        for place in [
            Place::new("credential", 8, "password"),
            Place::new("credential", 7, "passwor"),
            Place::new("credentialp", 7, "assword"),
            Place::new("setting", 7, "password"),
        ] {
            assert!(matches!(cipher(1).open(&place, &sealed), Err(VaultError::Refused)), "{place}");
        }
    }

    #[test]
    fn under_another_key_it_does_not_open() {
        let sealed = cipher(1).seal(&HERE, "secret");
        assert!(matches!(cipher(2).open(&HERE, &sealed), Err(VaultError::Refused)));
        // Nor does it when it claims to be of that key.
        let claimed = sealed.replace(cipher(1).id(), cipher(2).id());
        assert!(matches!(cipher(2).open(&HERE, &claimed), Err(VaultError::Refused)));
    }

    #[test]
    fn changed_it_does_not_open() {
        let sealed = cipher(1).seal(&HERE, "secret");
        let start = sealed.rfind('$').unwrap() + 1;
        for index in start..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(cipher(1).open(&HERE, &changed).is_err(), "position {index}");
        }
        for cut in start..sealed.len() {
            assert!(cipher(1).open(&HERE, &sealed[..cut]).is_err(), "length {cut}");
        }
    }

    #[test]
    fn other_texts_are_not_sealed_ones() {
        for text in
            ["", "secret", "$encrypted$", "$hostler$1$", "$hostler$1$xyz$AAAA", "$hostler$2$0011223344556677$AA"]
        {
            assert!(!is_sealed(text), "{text}");
            assert!(matches!(cipher(1).open(&HERE, text), Err(VaultError::Malformed)), "{text}");
        }
    }

    #[test]
    fn errors_tell_nothing() {
        let sealed = cipher(1).seal(&HERE, "secret");
        let error = cipher(2).open(&HERE, &sealed).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("secret,") && !told.contains(&sealed), "{told}");
    }
}
