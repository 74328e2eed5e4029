/// What a secret belongs to, used as additional authenticated data: encrypted for one context, it cannot be decrypted in
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretContext<'a> {
    kind: &'a str,
    id: i64,
    field: &'a str,
}

impl<'a> SecretContext<'a> {
    /// A field of the row `id` of a resource, whose `name` is the `kind`; for a setting the kind is `setting`, the id 0,
    /// and the field its name.
    pub const fn new(kind: &'a str, id: i64, field: &'a str) -> Self {
        SecretContext { kind, id, field }
    }

    /// The context in bytes. Each part follows its length, so that
    /// different contexts are different bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.kind.len() + self.field.len() + 24);
        for part in [self.kind.as_bytes(), &self.id.to_be_bytes(), self.field.as_bytes()] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

impl std::fmt::Display for SecretContext<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {} {}", self.kind, self.id, self.field)
    }
}
