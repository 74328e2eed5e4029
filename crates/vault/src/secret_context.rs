/// Where a secret stands. Sealed for one place, it opens at no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretContext<'a> {
    kind: &'a str,
    id: i64,
    field: &'a str,
}

impl<'a> SecretContext<'a> {
    /// The field of the row `id` of what is called `kind`: a resource's `name`,
    /// or `setting` with the id 0 and the setting's name as field.
    pub const fn new(kind: &'a str, id: i64, field: &'a str) -> Self {
        SecretContext { kind, id, field }
    }

    /// The place in bytes. Each part goes in behind its length, so that
    /// different places are different bytes.
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
