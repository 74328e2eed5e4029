//! What AWX has encrypted, for whoever brings an AWX's database along.
//!
//! AWX stores `$encrypted$UTF8$AESCBC$<base64>` (older releases without `UTF8$`).
//! The base64 holds a token in the form of Fernet
//! (<https://github.com/fernet/spec>), but under AES-256-CBC: the key is the
//! SHA-512 of the installation's `SECRET_KEY`, the row's id if there is one, and
//! the field's name; its first half signs, its second half encrypts.

use aes_gcm::aes::Aes256;
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
use cbc::Decryptor;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// What all of them start with; alone it stands for a secret that is not shown.
const PREFIX: &str = "$encrypted$";
/// The version of Fernet's form.
const VERSION: u8 = 0x80;
/// Bytes before the ciphertext: version, time, and initialization vector.
const HEAD: usize = 1 + 8 + 16;
/// Bytes of the signature.
const SIGNATURE: usize = 32;

/// Why a value of AWX could not be decrypted. None tells anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwxError {
    /// The text is not of the form in which AWX encrypts.
    #[error("the value is not one that AWX has encrypted")]
    Malformed,
    /// The secret key, the row's id or the field is another one, or the value was changed.
    #[error("the value does not belong to this SECRET_KEY and place, or was changed")]
    Refused,
}

/// Whether a text is of the form in which AWX encrypts.
pub fn is_awx_encrypted(text: &str) -> bool {
    token(text).is_some()
}

/// Decrypts a value of AWX. `secret_key` is the content of AWX's `SECRET_KEY`,
/// `id` that of the row (none where AWX encrypts for no row, as the secrets of
/// OAuth2 applications), `field` the name of the field or, of a credential, the input.
///
/// # Errors
/// [`AwxError`].
pub fn open_awx(
    secret_key: &str,
    id: Option<i64>,
    field: &str,
    encrypted: &str,
) -> Result<Zeroizing<String>, AwxError> {
    let token = token(encrypted).ok_or(AwxError::Malformed)?;
    let mut hash = Sha512::new();
    hash.update(secret_key);
    if let Some(id) = id {
        hash.update(id.to_string());
    }
    hash.update(field);
    let keys = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
    let (signing, encrypting) = keys.split_at(32);

    let (body, signature) = token.split_at(token.len() - SIGNATURE);
    let mac = Hmac::<Sha256>::new_from_slice(signing).map_err(|_| AwxError::Refused)?;
    mac.chain_update(body).verify_slice(signature).map_err(|_| AwxError::Refused)?;
    let (head, ciphertext) = body.split_at(HEAD);
    let plain = Decryptor::<Aes256>::new_from_slices(encrypting, &head[HEAD - 16..])
        .map_err(|_| AwxError::Refused)?
        .decrypt_padded_vec::<Pkcs7>(ciphertext)
        .map_err(|_| AwxError::Refused)?;
    let mut plain = Zeroizing::new(plain);
    String::from_utf8(std::mem::take(&mut *plain)).map(Zeroizing::new).map_err(|_| AwxError::Refused)
}

/// The token in such a text.
fn token(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix(PREFIX)?;
    let text = text.strip_prefix("UTF8$").unwrap_or(text).strip_prefix("AESCBC$")?;
    // Fernet's own text, in base64 once more.
    let token = BASE64_URL_SAFE.decode(BASE64_STANDARD.decode(text).ok()?).ok()?;
    (token.len() >= HEAD + 16 + SIGNATURE && token[0] == VERSION).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by Python from the description above: SHA-512 and HMAC of its standard library, AES-256-CBC and PKCS7 of
    // `cryptography`, with a fixed time and initialization vector.
    const PASSWORD: &str = "$encrypted$UTF8$AESCBC$Z0FBQUFBQmxVX0VBQUFFQ0F3UUZCZ2NJQ1FvTERBME9EMFROd2Jjb3RIYkFwbmNMWkZVSTZUNHlEVDlJekpHRHpBZnAyTWdlZXg3TXh0cHRmQ0NhZHUyTnhreFliXy03emc9PQ==";
    const WITHOUT_ID: &str = "$encrypted$UTF8$AESCBC$Z0FBQUFBQmxVX0VBQUFFQ0F3UUZCZ2NJQ1FvTERBME9Ed2NnSTVEQ2RsZmFsUjFCaUVTR19EZnJKRWh1OFk2QlBIZFZHX0cydkVBWXhQVTVpRThTS1JwZ2FPU1g0cUl0ZkE9PQ==";
    const OLDER: &str = "$encrypted$AESCBC$Z0FBQUFBQmxVX0VBRUJFU0V4UVZGaGNZR1JvYkhCMGVINVJwd1VwWFphWGxBcmNYME9pU1ppNkYxNWtqaVQ5MFM1Q0cyWGtIMlhNcEJUTzQ5TUZIdTlMZjI3dktIaHJlNGFJekJjdTJWYVhVRldldWRRN2d0YzVhNGM2RmtCbHhHSGRMZHFvdU02bEo=";
    const EMPTY: &str = "$encrypted$UTF8$AESCBC$Z0FBQUFBQmxVX0VBQUFFQ0F3UUZCZ2NJQ1FvTERBME9EN3p3bTFkcUo5c1JyQzJBUDVaWERoTjNUOVN6UXpHWnUyS0gzMjB1ZUNCUThvcWlON0hrYmVueE5xUDZBcjNxanc9PQ==";
    const KEY: &str = "awxsecret";

    fn open(id: Option<i64>, field: &str, encrypted: &str) -> Result<String, AwxError> {
        open_awx(KEY, id, field, encrypted).map(|plain| plain.to_string())
    }

    #[test]
    fn what_awx_encrypts_opens() {
        assert_eq!(open(Some(7), "password", PASSWORD), Ok("hush".into()));
        assert_eq!(open(None, "value", WITHOUT_ID), Ok("größer 💥".into()));
        assert_eq!(open(Some(12), "ssh_key_data", OLDER), Ok("x".repeat(40)));
        assert_eq!(open(Some(7), "password", EMPTY), Ok(String::new()));
        assert!([PASSWORD, WITHOUT_ID, OLDER, EMPTY].into_iter().all(is_awx_encrypted));
    }

    #[test]
    fn elsewhere_and_under_another_key_it_does_not() {
        for (id, field) in [(Some(8), "password"), (None, "password"), (Some(7), "passwor"), (Some(7), "")] {
            assert_eq!(open(id, field, PASSWORD), Err(AwxError::Refused), "{id:?} {field}");
        }
        assert_eq!(open_awx("other", Some(7), "password", PASSWORD), Err(AwxError::Refused));
        assert_eq!(open(Some(7), "value", WITHOUT_ID), Err(AwxError::Refused));
    }

    #[test]
    fn changed_it_does_not() {
        let token = token(PASSWORD).unwrap();
        for index in 0..token.len() {
            let mut changed = token.clone();
            changed[index] ^= 1;
            let text = BASE64_STANDARD.encode(BASE64_URL_SAFE.encode(changed));
            let outcome = open(Some(7), "password", &format!("$encrypted$UTF8$AESCBC${text}"));
            assert!(outcome.is_err(), "byte {index}");
        }
        for length in 0..PASSWORD.len() {
            assert!(open(Some(7), "password", &PASSWORD[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn other_texts_are_not_its() {
        for text in ["", "hush", "$encrypted$", "$encrypted$UTF8$AES$AAAA", "$encrypted$AESCBC$", "$encrypted$AESCBC$!"]
        {
            assert!(!is_awx_encrypted(text), "{text}");
            assert_eq!(open(Some(7), "password", text), Err(AwxError::Malformed), "{text}");
        }
    }
}
