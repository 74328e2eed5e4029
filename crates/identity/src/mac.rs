//! HMAC-SHA256 (RFC 2104) over several parts.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A prepared key, for many messages.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        // RFC 2104 pads a short key with zeros to the hash's block of 64 bytes. Done
        // here, no length can be wrong.
        let mut block = zeroize::Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(key);
        Self(Hmac::new((&*block).into()))
    }

    /// The HMAC of `parts`. Each is preceded by its length, so that ("ab", "c")
    /// and ("a", "bc") are different messages.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_another_implementation() {
        // Python: hmac.new(bytes(range(32)), b"".join(
        //     len(p).to_bytes(8, "big") + p for p in (b"ab", b"", b"c")), "sha256").hexdigest()
        let key: [u8; 32] = std::array::from_fn(|index| index as u8);
        assert_eq!(
            hex::encode(MacKey::new(&key).of(&[b"ab", b"", b"c"])),
            "2602c67dbb615282c1872641a631d8f2782de761cf7c1a6181c175e4cc07b069"
        );
    }

    #[test]
    fn parts_are_length_prefixed() {
        let key = MacKey::new(&[7; 32]);
        assert_ne!(key.of(&[b"ab", b"c"]), key.of(&[b"a", b"bc"]));
        assert_ne!(key.of(&[b"ab"]), key.of(&[b"ab", b""]));
        assert_ne!(key.of(&[b"ab"]), MacKey::new(&[8; 32]).of(&[b"ab"]));
    }
}
