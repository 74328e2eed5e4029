//! Encryption by one key, and the text format of encrypted secrets.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use hostler_identity::key::SecretKey;
use zeroize::Zeroizing;

use crate::{SecretContext, VaultError};

/// The prefix of every encrypted secret: the name of the format, and its version.
/// `$hostler$1$<key id>$<base64 of nonce, ciphertext and tag>`.
pub(crate) const PREFIX: &str = "$hostler$1$";
/// Bytes of a nonce (NIST SP 800-38D: 96 bits). Random nonces are safe
/// for 2^32 secrets under one key.
const NONCE: usize = 12;

/// Whether a text has the format of an encrypted secret.
pub fn is_encrypted(text: &str) -> bool {
    key_id(text).is_some()
}

/// The id of the key that encrypted a secret; none if the text has another format.
pub fn key_id(encrypted: &str) -> Option<&str> {
    parts(encrypted).map(|(id, _)| id)
}

/// Key id and base64 of an encrypted secret.
fn parts(encrypted: &str) -> Option<(&str, &str)> {
    let (id, data) = encrypted.strip_prefix(PREFIX)?.split_once('$')?;
    (id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some((id, data))
}

/// AES-256-GCM with one key of the installation.
pub(crate) struct Cipher {
    id: String,
    cipher: Aes256Gcm,
}

impl Cipher {
    pub(crate) fn new(key: &SecretKey) -> Self {
        let derived = Zeroizing::new(key.derive("vault aes-256-gcm"));
        // Identifies the key without revealing it.
        let id = hex::encode(&key.derive("vault key id")[..8]);
        Cipher { id, cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*derived)) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    #[expect(
        clippy::expect_used,
        reason = "the operating system provides randomness, and AES-GCM rejects only texts beyond 64 GB"
    )]
    pub(crate) fn encrypt(&self, context: &SecretContext<'_>, plain: &str) -> String {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("randomness from the operating system");
        let payload = Payload { msg: plain.as_bytes(), aad: &self.additional_data(context) };
        let encrypted = self.cipher.encrypt(&Nonce::from(nonce), payload).expect("a secret fits into memory");
        let mut data = nonce.to_vec();
        data.extend(encrypted);
        format!("{PREFIX}{}${}", self.id, BASE64_STANDARD_NO_PAD.encode(data))
    }

    pub(crate) fn decrypt(
        &self,
        context: &SecretContext<'_>,
        encrypted: &str,
    ) -> Result<Zeroizing<String>, VaultError> {
        let (_, data) = parts(encrypted).ok_or(VaultError::Malformed)?;
        let data = BASE64_STANDARD_NO_PAD.decode(data).map_err(|_| VaultError::Malformed)?;
        let (nonce, encrypted) = data.split_first_chunk::<NONCE>().ok_or(VaultError::Malformed)?;
        let payload = Payload { msg: encrypted, aad: &self.additional_data(context) };
        let mut plain = Zeroizing::new(
            self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::DecryptionFailed)?,
        );
        let text = String::from_utf8(std::mem::take(&mut *plain)).map_err(|_| VaultError::DecryptionFailed)?;
        Ok(Zeroizing::new(text))
    }

    /// The additional authenticated data: format, key and context.
    fn additional_data(&self, context: &SecretContext<'_>) -> Vec<u8> {
        let mut bytes = [PREFIX, &self.id, "$"].concat().into_bytes();
        bytes.extend(context.bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: SecretContext<'static> = SecretContext::new("credential", 7, "password");

    fn cipher(seed: u8) -> Cipher {
        Cipher::new(&SecretKey::from_bytes([seed; 64]))
    }

    #[test]
    fn encrypted_secret_decrypts_in_its_context() {
        for plain in ["", "secret", "größer 💥\n", &"x".repeat(100_000)] {
            let encrypted = cipher(1).encrypt(&HERE, plain);
            assert!(is_encrypted(&encrypted) && encrypted.is_ascii());
            assert!(plain.is_empty() || !encrypted.contains(plain));
            assert_eq!(*cipher(1).decrypt(&HERE, &encrypted).unwrap(), plain);
        }
    }

    #[test]
    fn agrees_with_another_implementation() {
        // By Python's cryptography, from RFC 5869 and the format above:
        // derive = lambda info: HKDF(SHA256(), 32, None, info).derive(bytes([1]) * 64)
        // header = b"$hostler$1$" + derive(b"vault key id")[:8].hex().encode() + b"$"
        // part = lambda b: len(b).to_bytes(8, "big") + b
        // place = part(b"credential") + part((7).to_bytes(8, "big")) + part(b"password")
        // header + b64(bytes(range(12)) + AESGCM(derive(b"vault aes-256-gcm")).encrypt(bytes(range(12)), b"secret", header + place))
        let encrypted = "$hostler$1$268d0bfae33e7a94$AAECAwQFBgcICQoLbraZO6n5pmPM3FZzDi7V5KDAocfUsQ";
        assert_eq!(*cipher(1).decrypt(&HERE, encrypted).unwrap(), "secret");
    }

    #[test]
    fn encryption_is_not_deterministic() {
        assert_ne!(cipher(1).encrypt(&HERE, "secret"), cipher(1).encrypt(&HERE, "secret"));
    }

    #[test]
    fn another_context_is_rejected() {
        let encrypted = cipher(1).encrypt(&HERE, "secret");
        for context in [
            SecretContext::new("credential", 8, "password"),
            SecretContext::new("credential", 7, "passwor"),
            SecretContext::new("credentialp", 7, "assword"),
            SecretContext::new("setting", 7, "password"),
        ] {
            assert!(matches!(cipher(1).decrypt(&context, &encrypted), Err(VaultError::DecryptionFailed)), "{context}");
        }
    }

    #[test]
    fn another_key_is_rejected() {
        let encrypted = cipher(1).encrypt(&HERE, "secret");
        assert!(matches!(cipher(2).decrypt(&HERE, &encrypted), Err(VaultError::DecryptionFailed)));
        // The key id is authenticated, too.
        let claimed = encrypted.replace(cipher(1).id(), cipher(2).id());
        assert!(matches!(cipher(2).decrypt(&HERE, &claimed), Err(VaultError::DecryptionFailed)));
    }

    #[test]
    fn changed_ciphertext_is_rejected() {
        let encrypted = cipher(1).encrypt(&HERE, "secret");
        let start = encrypted.rfind('$').unwrap() + 1;
        for index in start..encrypted.len() {
            let mut changed = encrypted.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(cipher(1).decrypt(&HERE, &changed).is_err(), "position {index}");
        }
        for cut in start..encrypted.len() {
            assert!(cipher(1).decrypt(&HERE, &encrypted[..cut]).is_err(), "length {cut}");
        }
    }

    #[test]
    fn other_texts_are_malformed() {
        for text in
            ["", "secret", "$encrypted$", "$hostler$1$", "$hostler$1$xyz$AAAA", "$hostler$2$0011223344556677$AA"]
        {
            assert!(!is_encrypted(text), "{text}");
            assert!(matches!(cipher(1).decrypt(&HERE, text), Err(VaultError::Malformed)), "{text}");
        }
    }

    #[test]
    fn errors_contain_no_secrets() {
        let encrypted = cipher(1).encrypt(&HERE, "secret");
        let error = cipher(2).decrypt(&HERE, &encrypted).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret,") && !text.contains(&encrypted), "{text}");
    }
}
