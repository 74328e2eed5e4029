use crate::{JobSettings, Resource};

/// The kind of a field's values. It determines storage, parsing, filters and serialization.
///
/// What depends on the kind of any field names all kinds, so that the compiler shows what a new one needs: the methods
/// here, and in the engine `field_values`, `query/lookup` (filters) and `openapi`.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// The integer primary key.
    Id,
    /// Text.
    Text,
    /// An email address, or empty.
    Email,
    /// True or false.
    Boolean,
    /// A 64-bit integer.
    Integer,
    /// A decimal number with a fixed number of places, shown as text such as `1.50`. Its column is an integer, the
    /// number without its point (150), so that both databases compare it exactly.
    Decimal {
        /// The maximum number of digits, before and after the point.
        digits: u8,
        /// The number of digits after the point.
        places: u8,
    },
    /// A time in UTC, with microseconds.
    Time,
    /// A JSON document of this shape, stored as text.
    Json(JsonShape),
    /// Variables for Ansible: a text with a JSON object or a YAML mapping, stored as it was sent.
    Variables,
    /// A UUID, stored as text.
    Uuid,
    /// One of a fixed set of values, each with its label.
    Choice(&'static [(&'static str, &'static str)]),
    /// One of the words that a setting lists.
    SettingChoice(fn(&JobSettings) -> &[String]),
    /// One of a fixed set of numbers, each with its label.
    IntegerChoice(&'static [(i64, &'static str)]),
    /// The id of an object of another resource.
    Link(fn() -> &'static Resource),
    /// A link to a kind of object that is not implemented yet: always null, and any id in a request is rejected as one
    /// that does not exist.
    Reserved,
    /// A secret that is stored as a digest: write-only, rejected in filters, masked in the activity stream.
    Digest,
    /// A secret that is stored encrypted and bound to its row, because it must be read back: write-only, shown as
    /// `$encrypted$` if it is set, rejected in filters, masked in the activity stream. Its column is `TEXT NOT NULL
    /// DEFAULT ''`; the empty text means that no secret is set.
    Encrypted,
    /// A JSON object with secrets among its values, which the resource's hooks encrypt before they are stored: masked
    /// in responses and in the activity stream, rejected in filters.
    Inputs,
    /// A value that a hook computes, without a column.
    Computed,
}

/// The shape of a JSON document that a field accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonShape {
    /// Any document.
    Any,
    /// An object.
    Object,
    /// A list of any documents.
    List,
    /// A list of texts.
    Texts,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A 64-bit integer.
    Integer,
    /// A boolean.
    Boolean,
    /// Text.
    Text,
    /// A time.
    Time,
    /// A JSON document in a text.
    Json,
}

impl FieldKind {
    /// Whether responses must not contain values of this kind.
    pub const fn is_secret(&self) -> bool {
        matches!(self, FieldKind::Digest | FieldKind::Encrypted)
    }

    /// Whether values of this kind contain secrets, which filters must not compare and the activity stream must not
    /// show.
    pub const fn contains_secrets(&self) -> bool {
        self.is_secret() || matches!(self, FieldKind::Inputs)
    }

    /// The resource that a link leads to; none for other kinds.
    pub fn target(&self) -> Option<&'static Resource> {
        match self {
            FieldKind::Link(target) => Some(target()),
            _ => None,
        }
    }

    /// The type of the column.
    pub const fn column_type(&self) -> ColumnType {
        match self {
            FieldKind::Id
            | FieldKind::Integer
            | FieldKind::IntegerChoice(_)
            | FieldKind::Decimal { .. }
            | FieldKind::Link(_) => ColumnType::Integer,
            FieldKind::Boolean => ColumnType::Boolean,
            FieldKind::Time => ColumnType::Time,
            FieldKind::Json(_) | FieldKind::Inputs => ColumnType::Json,
            FieldKind::Text
            | FieldKind::Email
            | FieldKind::Variables
            | FieldKind::Uuid
            | FieldKind::Choice(_)
            | FieldKind::SettingChoice(_)
            | FieldKind::Reserved
            | FieldKind::Digest
            | FieldKind::Encrypted
            | FieldKind::Computed => ColumnType::Text,
        }
    }

    /// The type in OPTIONS.
    pub const fn type_name(&self) -> &'static str {
        match self {
            FieldKind::Id | FieldKind::Integer => "integer",
            FieldKind::Decimal { .. } => "decimal",
            FieldKind::Text | FieldKind::Email | FieldKind::Uuid | FieldKind::Digest | FieldKind::Encrypted => "string",
            FieldKind::Boolean => "boolean",
            FieldKind::Time => "datetime",
            FieldKind::Json(_) | FieldKind::Inputs | FieldKind::Variables => "json",
            FieldKind::Choice(_) | FieldKind::SettingChoice(_) | FieldKind::IntegerChoice(_) => "choice",
            FieldKind::Link(_) | FieldKind::Reserved => "id",
            FieldKind::Computed => "field",
        }
    }
}

/// The default of a field in POST.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefaultValue {
    /// A text.
    Text(&'static str),
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// Null, if OPTIONS shows it as default.
    Null,
    /// A JSON document, as text.
    Json(&'static str),
}

impl DefaultValue {
    /// An empty JSON object.
    pub const EMPTY_OBJECT: DefaultValue = DefaultValue::Json("{}");
}
