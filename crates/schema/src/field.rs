use crate::Resource;

/// The kind of a field's values, which decides how it is stored, read, filtered and shown.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// The integer primary key.
    Id,
    /// Text without structure.
    Text,
    /// Text in the form of an email address, or empty.
    Email,
    /// True or false.
    Boolean,
    /// A whole number of at most 64 bits.
    Integer,
    /// A moment in UTC, kept to the microsecond.
    Time,
    /// A JSON document, kept as text.
    Json,
    /// A UUID, kept as text.
    Uuid,
    /// One of a fixed set of words, each with its label for people.
    Choice(&'static [(&'static str, &'static str)]),
    /// The id of one row of another resource.
    Link(fn() -> &'static Resource),
    /// A link to a kind of object that Hostler does not keep yet: always null,
    /// and any id sent is answered as one that does not exist.
    Reserved,
    /// A secret of which only a digest is stored: write-only, refused in
    /// filters, masked in the activity stream.
    Digest,
    /// A secret that is stored encrypted and bound to its row, for what has to
    /// be read back: write-only, shown as `$encrypted$` where it is set, refused
    /// in filters, masked in the activity stream. Its column is
    /// `TEXT NOT NULL DEFAULT ''`, where the empty text means that none is set.
    Encrypted,
    /// A JSON object some of whose values are secrets, which the resource's hooks encrypt before they are stored: masked in
    /// responses and in the activity stream, rejected in filters.
    Inputs,
    /// A value that is computed by a hook and has no column of its own.
    Computed,
}

impl FieldKind {
    /// Whether values of this kind must never leave the server.
    pub const fn is_secret(&self) -> bool {
        matches!(self, FieldKind::Digest | FieldKind::Encrypted)
    }

    /// Whether values of this kind contain secrets, which filters must not compare and the activity stream must not show.
    pub const fn contains_secrets(&self) -> bool {
        self.is_secret() || matches!(self, FieldKind::Inputs)
    }
}

/// The value that a field takes when a client creates an object without naming it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefaultValue {
    /// A text.
    Text(&'static str),
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Null, where OPTIONS says so.
    Null,
    /// A JSON object without keys.
    EmptyObject,
}

/// The characters that a text field accepts.
#[derive(Clone, Copy, Debug)]
pub struct Charset {
    /// Whether this character may stand in the text.
    pub allows: fn(char) -> bool,
    /// The message for a forbidden character or an empty text.
    pub message: &'static str,
}

/// One field of a resource: its key in answers, its column, its rules and its words.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key in requests and answers.
    pub name: &'static str,
    /// The column in the resource's table; empty if it has none.
    pub column: &'static str,
    /// The kind of its values.
    pub kind: FieldKind,
    /// Its short name for people, as OPTIONS shows it.
    pub label: &'static str,
    /// What it means, in a sentence, as OPTIONS shows it.
    pub help: &'static str,
    /// Whether a client may write it.
    pub writable: bool,
    /// Whether POST and PUT must name it.
    pub required: bool,
    /// Whether a client may write it only while creating the object.
    pub create_only: bool,
    /// Whether null is a value of its own. Otherwise null in a text means "";
    /// for a boolean, which has no null, it means "leave it as it is".
    pub nullable: bool,
    /// Whether the empty text is allowed.
    pub blank: bool,
    /// Greatest number of characters.
    pub max: Option<u32>,
    /// Least and greatest number.
    pub range: Option<(i64, i64)>,
    /// What POST takes when the key is absent.
    pub default: Option<DefaultValue>,
    /// Whether PUT leaves the stored value alone when the key is absent.
    pub kept_on_put: bool,
    /// The characters that are allowed.
    pub charset: Option<Charset>,
    /// The form in which a text is stored, whatever spelling a client sends. Applied before all checks.
    pub normalize: Option<fn(&str) -> String>,
    /// The words of a choice that clients may write, where they are fewer than all.
    pub offered: Option<&'static [(&'static str, &'static str)]>,
    /// Whether lists can be filtered and ordered by it.
    pub filterable: bool,
    /// Whether OPTIONS says that lists can be filtered by it.
    pub filter_listed: bool,
    /// Whether answers show it.
    pub shown: bool,
    /// The type in OPTIONS, where AWX names another than the kind's own.
    pub type_name: Option<&'static str>,
    /// Whether the activity stream records it.
    pub recorded: bool,
    /// The default that OPTIONS shows, as JSON text, where it is not the value that POST takes.
    pub example: Option<&'static str>,
    /// The type of the items of a list, as OPTIONS shows it.
    pub items: Option<&'static str>,
}

impl Field {
    const fn new(name: &'static str, kind: FieldKind) -> Self {
        Field {
            name,
            column: name,
            kind,
            label: "",
            help: "",
            writable: true,
            required: false,
            create_only: false,
            nullable: false,
            blank: true,
            max: None,
            range: None,
            default: None,
            kept_on_put: false,
            charset: None,
            normalize: None,
            offered: None,
            filterable: true,
            filter_listed: true,
            shown: true,
            type_name: None,
            recorded: true,
            example: None,
            items: None,
        }
    }
    /// Sets the label that people read.
    pub const fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }
    /// Sets the sentence that OPTIONS shows.
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }
    /// Uses a column whose name differs from the key.
    pub const fn column(mut self, column: &'static str) -> Self {
        self.column = column;
        self
    }
    /// POST and PUT must name it, and it may not be empty.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self.blank = false;
        self
    }
    /// Clients cannot write it; sent anyway, it is ignored. Not recorded as activity.
    pub const fn read_only(mut self) -> Self {
        self.writable = false;
        self.recorded = false;
        self
    }
    /// Clients write it when they create the object and never after.
    pub const fn create_only(mut self) -> Self {
        self.create_only = true;
        self
    }
    /// Null is a value of its own.
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
    /// The empty text is refused.
    pub const fn not_blank(mut self) -> Self {
        self.blank = false;
        self
    }
    /// Greatest number of characters.
    pub const fn max(mut self, characters: u32) -> Self {
        self.max = Some(characters);
        self
    }
    /// Least and greatest number, both allowed.
    pub const fn range(mut self, least: i64, greatest: i64) -> Self {
        self.range = Some((least, greatest));
        self
    }
    /// The value when POST does not name it.
    pub const fn default(mut self, value: DefaultValue) -> Self {
        self.default = Some(value);
        self
    }
    /// PUT without this key keeps the stored value.
    pub const fn kept_on_put(mut self) -> Self {
        self.kept_on_put = true;
        self
    }
    /// Restricts the characters.
    pub const fn charset(mut self, charset: Charset) -> Self {
        self.charset = Some(charset);
        self
    }
    /// Stores a text in the form that this function gives it.
    pub const fn normalize(mut self, normalize: fn(&str) -> String) -> Self {
        self.normalize = Some(normalize);
        self
    }
    /// OPTIONS offers only these words of a choice; the resource's hooks refuse the others.
    pub const fn offers(mut self, words: &'static [(&'static str, &'static str)]) -> Self {
        self.offered = Some(words);
        self
    }
    /// Lists can be neither filtered nor ordered by it.
    pub const fn not_filterable(mut self) -> Self {
        self.filterable = false;
        self.filter_listed = false;
        self
    }
    /// Filters work, but OPTIONS does not say so (as AWX for a user's `created`).
    pub const fn filter_unlisted(mut self) -> Self {
        self.filter_listed = false;
        self
    }
    /// Answers leave it out.
    pub const fn hidden(mut self) -> Self {
        self.shown = false;
        self
    }
    /// Sets the type in OPTIONS.
    pub const fn type_name(mut self, name: &'static str) -> Self {
        self.type_name = Some(name);
        self
    }
    /// OPTIONS shows this JSON text as the default.
    pub const fn example(mut self, json: &'static str) -> Self {
        self.example = Some(json);
        self
    }
    /// OPTIONS says that it is a list of items of this type.
    pub const fn items(mut self, type_name: &'static str) -> Self {
        self.items = Some(type_name);
        self
    }
    /// Least number; OPTIONS names no greatest one.
    pub const fn least(mut self, least: i64) -> Self {
        self.range = Some((least, i64::MAX));
        self
    }
    /// The activity stream records it although clients cannot write it.
    pub const fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }
    /// The activity stream leaves it out.
    pub const fn unrecorded(mut self) -> Self {
        self.recorded = false;
        self
    }
    /// Clients write it when they create the object, and it is never seen again:
    /// the resource's hooks do something with it.
    pub const fn only_for_creation(mut self) -> Self {
        self.column = "";
        self.create_only = true;
        self.nullable = true;
        self.shown = false;
        self.recorded = false;
        self.not_filterable()
    }
    /// Whether the field has a column in the table of its resource.
    pub const fn is_stored(&self) -> bool {
        !self.column.is_empty()
    }
}

/// The constructors of fields, one for each kind, to be imported together.
pub mod fields {
    use super::{Field, FieldKind};
    use crate::Resource;

    /// The primary key.
    pub const fn id() -> Field {
        Field::new("id", FieldKind::Id)
            .label("ID")
            .help("The number that names this object for as long as it exists.")
            .read_only()
    }
    /// A text field.
    pub const fn text(name: &'static str) -> Field {
        Field::new(name, FieldKind::Text)
    }
    /// An email address.
    pub const fn email(name: &'static str) -> Field {
        Field::new(name, FieldKind::Email)
    }
    /// A truth value.
    pub const fn boolean(name: &'static str) -> Field {
        Field::new(name, FieldKind::Boolean)
    }
    /// A whole number.
    pub const fn integer(name: &'static str) -> Field {
        Field::new(name, FieldKind::Integer)
    }
    /// A moment in time.
    pub const fn time(name: &'static str) -> Field {
        Field::new(name, FieldKind::Time)
    }
    /// A JSON document.
    pub const fn json(name: &'static str) -> Field {
        Field::new(name, FieldKind::Json)
    }
    /// A UUID.
    pub const fn uuid(name: &'static str) -> Field {
        Field::new(name, FieldKind::Uuid)
    }
    /// One of a fixed set of words.
    pub const fn choice(name: &'static str, words: &'static [(&'static str, &'static str)]) -> Field {
        Field::new(name, FieldKind::Choice(words))
    }
    /// The id of another object.
    pub const fn link(name: &'static str, column: &'static str, target: fn() -> &'static Resource) -> Field {
        Field::new(name, FieldKind::Link(target)).column(column)
    }
    /// A link to a kind of object that does not exist yet.
    pub const fn reserved(name: &'static str) -> Field {
        Field::new(name, FieldKind::Reserved).column("").nullable()
    }
    /// A secret that is stored as a digest only.
    pub const fn digest(name: &'static str) -> Field {
        Field::new(name, FieldKind::Digest).hidden()
    }
    /// A secret that is stored encrypted.
    pub const fn encrypted(name: &'static str) -> Field {
        Field::new(name, FieldKind::Encrypted)
    }
    /// A JSON object with secrets among its values.
    pub const fn inputs(name: &'static str) -> Field {
        Field::new(name, FieldKind::Inputs)
    }
    /// A value that a hook computes for answers.
    pub const fn computed(name: &'static str) -> Field {
        Field::new(name, FieldKind::Computed).column("").read_only().not_filterable()
    }
}
