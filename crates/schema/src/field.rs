use sea_query::Expr;
use serde_json::{Map, Value as Json};

use crate::Resource;
use crate::field_kind::{DefaultValue, FieldKind};

/// What happens to an object when the object that it links to is deleted. The foreign key says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// It is deleted too.
    Cascade,
    /// The link becomes null.
    SetNull,
    /// The other object cannot be deleted.
    Restrict,
}

/// The characters that a text field accepts.
#[derive(Clone, Copy, Debug)]
pub struct Charset {
    /// Whether the text may contain this character.
    pub allows: fn(char) -> bool,
    /// The message for a forbidden character or an empty text.
    pub message: &'static str,
}

/// A field of a resource: its key, its column, its rules and its texts.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key in requests and responses.
    pub name: &'static str,
    /// The column in the resource's table; empty if it has none.
    pub column: &'static str,
    /// The expression that its values are read by instead of a column, for the table with the alias `row`.
    pub read_by: Option<fn(row: &str) -> Expr>,
    /// The kind of its values.
    pub kind: FieldKind,
    /// The label in OPTIONS.
    pub label: &'static str,
    /// The help text in OPTIONS.
    pub help: &'static str,
    /// Whether clients may write it.
    pub writable: bool,
    /// Whether POST and PUT require it.
    pub required: bool,
    /// Whether clients may write it only in POST.
    pub create_only: bool,
    /// Whether OPTIONS describes it for POST only, because the resource's hooks refuse a change.
    pub fixed: bool,
    /// Whether null is a value. Otherwise null in a text means ""; for a boolean it means "unchanged".
    pub nullable: bool,
    /// Whether the empty text is allowed.
    pub blank: bool,
    /// The maximum number of characters.
    pub max: Option<u32>,
    /// The minimum and maximum number.
    pub range: Option<(i64, i64)>,
    /// Whether OPTIONS shows the maximum number.
    pub lists_maximum: bool,
    /// The value in POST if the key is missing.
    pub default: Option<DefaultValue>,
    /// Whether PUT keeps the stored value if the key is missing.
    pub kept_on_put: bool,
    /// The allowed characters.
    pub charset: Option<Charset>,
    /// The normal form in which a text is stored. Applied before all checks.
    pub normalize: Option<fn(&str) -> String>,
    /// Whether OPTIONS says that clients may write it.
    pub write_listed: bool,
    /// The values of a choice that clients may write, if they are fewer than all.
    pub offered: Option<&'static [(&'static str, &'static str)]>,
    /// Whether lists can be filtered and ordered by it.
    pub filterable: bool,
    /// Whether OPTIONS shows it as filterable.
    pub filter_listed: bool,
    /// Whether filters and orders by it are forbidden, because its value may contain secrets. OPTIONS shows it as
    /// filterable all the same, as AWX does.
    pub filter_forbidden: bool,
    /// Whether the resource's hooks find the rows for filters by it where they can, because its value is not in the row
    /// or is found faster otherwise.
    pub filtered_by_hooks: bool,
    /// The column by which lists are ordered instead of this field's, because it gives the same order and has an index.
    pub ordered_by: Option<&'static str>,
    /// Whether responses contain it.
    pub shown: bool,
    /// Whether only the response with one object contains it, and lists do not. Lists do not read it.
    pub detail_only: bool,
    /// The type in OPTIONS, if AWX's differs from that of the kind.
    pub type_name: Option<&'static str>,
    /// Whether the activity stream records it.
    pub recorded: bool,
    /// The default in OPTIONS, as JSON text, if it differs from the value that POST uses.
    pub example: Option<&'static str>,
    /// The type of the items of a list, in OPTIONS.
    pub items: Option<&'static str>,
    /// More keys of the field in OPTIONS.
    pub details: Option<fn() -> Map<String, Json>>,
    /// Whether `summary_fields` contains the linked object.
    pub summarized: bool,
    /// Whether `related` contains the path of the object that is summarized.
    pub in_related: bool,
    /// The name of the opposite relation, from the linked object to the objects that link to it.
    pub reverse: Option<&'static str>,
    /// What happens when the linked object is deleted, if it differs from the default. See [`Field::deletion`].
    deletion: Option<OnDelete>,
}

impl Field {
    const fn new(name: &'static str, kind: FieldKind) -> Self {
        Field {
            name,
            column: name,
            read_by: None,
            kind,
            label: "",
            help: "",
            writable: true,
            required: false,
            create_only: false,
            fixed: false,
            nullable: false,
            blank: true,
            max: None,
            range: None,
            lists_maximum: true,
            default: None,
            kept_on_put: false,
            charset: None,
            normalize: None,
            write_listed: true,
            offered: None,
            filterable: true,
            filter_listed: true,
            filter_forbidden: false,
            filtered_by_hooks: false,
            ordered_by: None,
            shown: true,
            detail_only: false,
            type_name: None,
            recorded: true,
            example: None,
            items: None,
            details: None,
            summarized: false,
            in_related: true,
            reverse: None,
            deletion: None,
        }
    }
    /// Sets the label.
    pub const fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }
    /// Sets the help text.
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }
    /// Sets the column, if it differs from the key.
    pub const fn column(mut self, column: &'static str) -> Self {
        self.column = column;
        self
    }
    /// Its values are read by this expression, such as a count of other rows. Clients cannot write it; filters and
    /// orders work as for a column.
    pub const fn read_by(mut self, expression: fn(row: &str) -> Expr) -> Self {
        self.column = "";
        self.read_by = Some(expression);
        self.read_only()
    }
    /// POST and PUT require it, and it must not be empty.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self.blank = false;
        self
    }
    /// Clients cannot write it; a sent value is ignored. It is not recorded in the activity stream.
    pub const fn read_only(mut self) -> Self {
        self.writable = false;
        self.recorded = false;
        self
    }
    /// OPTIONS describes it for POST only, because the resource's hooks refuse a change.
    pub const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }
    /// Clients write it in POST only.
    pub const fn create_only(mut self) -> Self {
        self.create_only = true;
        self
    }
    /// Null is a value.
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
    /// The empty text is rejected.
    pub const fn not_blank(mut self) -> Self {
        self.blank = false;
        self
    }
    /// Sets the maximum number of characters.
    pub const fn max(mut self, characters: u32) -> Self {
        self.max = Some(characters);
        self
    }
    /// Sets the minimum and maximum number, both allowed.
    pub const fn range(mut self, least: i64, greatest: i64) -> Self {
        self.range = Some((least, greatest));
        self
    }
    /// Sets the value in POST if the key is missing.
    pub const fn default(mut self, value: DefaultValue) -> Self {
        self.default = Some(value);
        self
    }
    /// PUT keeps the stored value if the key is missing.
    pub const fn kept_on_put(mut self) -> Self {
        self.kept_on_put = true;
        self
    }
    /// Restricts the characters.
    pub const fn charset(mut self, charset: Charset) -> Self {
        self.charset = Some(charset);
        self
    }
    /// Stores a text in the normal form that this function returns.
    pub const fn normalize(mut self, normalize: fn(&str) -> String) -> Self {
        self.normalize = Some(normalize);
        self
    }
    /// OPTIONS shows only these values of a choice; the resource's hooks reject the others.
    pub const fn offers(mut self, words: &'static [(&'static str, &'static str)]) -> Self {
        self.offered = Some(words);
        self
    }
    /// Lists cannot be filtered or ordered by it.
    pub const fn not_filterable(mut self) -> Self {
        self.filterable = false;
        self.filter_listed = false;
        self
    }
    /// Filters work, but OPTIONS does not show it as filterable (as in AWX for a user's `created`).
    pub const fn filter_unlisted(mut self) -> Self {
        self.filter_listed = false;
        self
    }
    /// Filters and orders by it are forbidden.
    pub const fn filter_forbidden(mut self) -> Self {
        self.filter_forbidden = true;
        self
    }
    /// The hooks find the rows for filters by it.
    pub const fn filtered_by_hooks(mut self) -> Self {
        self.filtered_by_hooks = true;
        self
    }
    /// Orders by it are orders by this column.
    pub const fn ordered_by(mut self, column: &'static str) -> Self {
        self.ordered_by = Some(column);
        self
    }
    /// Lists do not contain it.
    pub const fn detail_only(mut self) -> Self {
        self.detail_only = true;
        self
    }
    /// Responses do not contain it.
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
    /// OPTIONS shows a list with items of this type.
    pub const fn items(mut self, type_name: &'static str) -> Self {
        self.items = Some(type_name);
        self
    }
    /// OPTIONS shows these keys too.
    pub const fn details(mut self, details: fn() -> Map<String, Json>) -> Self {
        self.details = Some(details);
        self
    }
    /// Sets the minimum number. The maximum is that of AWX's integer columns, which OPTIONS does not show.
    pub const fn at_least(mut self, least: i64) -> Self {
        self.range = Some((least, i32::MAX as i64));
        self.lists_maximum = false;
        self
    }
    /// The activity stream records it although it is read-only.
    pub const fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }
    /// The activity stream does not record it.
    pub const fn unrecorded(mut self) -> Self {
        self.recorded = false;
        self
    }
    /// Clients write it although its value is not in the row: the resource's hooks store it.
    pub const fn stored_by_hooks(mut self) -> Self {
        self.writable = true;
        self.recorded = true;
        self
    }
    /// OPTIONS does not say that clients may write it: the resource's hooks refuse most values.
    pub const fn write_unlisted(mut self) -> Self {
        self.write_listed = false;
        self
    }
    /// Clients send it when they create the object; the resource's hooks read it from the body.
    pub const fn sent_to_hooks(mut self) -> Self {
        self.writable = true;
        self.create_only = true;
        self
    }
    /// Clients write it in POST only, and responses do not contain it: the resource's hooks use it.
    pub const fn only_for_creation(mut self) -> Self {
        self.column = "";
        self.create_only = true;
        self.nullable = true;
        self.shown = false;
        self.recorded = false;
        self.not_filterable()
    }
    /// `summary_fields` contains the linked object, and `related` its path.
    pub const fn summarized(mut self) -> Self {
        self.summarized = true;
        self
    }
    /// `related` does not contain the path of the linked object, although it is summarized.
    pub const fn not_in_related(mut self) -> Self {
        self.in_related = false;
        self
    }
    /// Filters of the linked resource follow the link backwards under this name, as in `credentials/?projects__name=x`.
    pub const fn reverse(mut self, name: &'static str) -> Self {
        self.reverse = Some(name);
        self
    }
    /// Sets what happens when the linked object is deleted. By default a nullable link becomes null, and an object with
    /// another link is deleted.
    pub const fn on_delete(mut self, effect: OnDelete) -> Self {
        self.deletion = Some(effect);
        self
    }
    /// What happens to the object when the object that this field links to is deleted.
    pub fn deletion(&self) -> OnDelete {
        self.deletion.unwrap_or(if self.nullable { OnDelete::SetNull } else { OnDelete::Cascade })
    }
    /// The resource of the linked objects, if the field is a link in a column.
    pub fn target(&self) -> Option<&'static Resource> {
        self.kind.target().filter(|_| self.is_stored())
    }
    /// The expression for its value in the row with this alias; none if its value is not in the database.
    pub fn expression(&self, row: &str) -> Option<Expr> {
        match self.read_by {
            Some(expression) => Some(expression(row)),
            None => self.is_stored().then(|| crate::column(row, self.column)),
        }
    }
    /// Whether OPTIONS and the OpenAPI document describe it. The value of a digest is hidden, but clients send its secret, or
    /// see it once.
    pub const fn is_described(&self) -> bool {
        self.shown || matches!(self.kind, FieldKind::Digest)
    }
    /// Whether the field has a column in the table of its resource.
    pub const fn is_stored(&self) -> bool {
        !self.column.is_empty()
    }
}

/// Constructors of fields, one for each kind, to be imported together.
pub mod fields {
    use super::Field;
    use crate::field_kind::{DefaultValue, FieldKind, JsonShape};
    use crate::{JobSettings, Resource};

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
    /// A boolean.
    pub const fn boolean(name: &'static str) -> Field {
        Field::new(name, FieldKind::Boolean)
    }
    /// An integer.
    pub const fn integer(name: &'static str) -> Field {
        Field::new(name, FieldKind::Integer)
    }
    /// A decimal number with at most this number of digits, this number of them after the point.
    pub const fn decimal(name: &'static str, digits: u8, places: u8) -> Field {
        Field::new(name, FieldKind::Decimal { digits, places })
    }
    /// A time.
    pub const fn time(name: &'static str) -> Field {
        Field::new(name, FieldKind::Time)
    }
    /// Any JSON document.
    pub const fn json(name: &'static str) -> Field {
        Field::new(name, FieldKind::Json(JsonShape::Any))
    }
    /// A JSON object.
    pub const fn object(name: &'static str) -> Field {
        Field::new(name, FieldKind::Json(JsonShape::Object))
    }
    /// A list of any documents; `max` is the greatest number of them.
    pub const fn list(name: &'static str) -> Field {
        Field::new(name, FieldKind::Json(JsonShape::List)).type_name("list")
    }
    /// A list of texts.
    pub const fn texts(name: &'static str) -> Field {
        Field::new(name, FieldKind::Json(JsonShape::Texts)).items("string")
    }
    /// Variables for Ansible: a text with a JSON object or a YAML mapping. Its column is `TEXT NOT NULL DEFAULT ''`.
    pub const fn variables(name: &'static str) -> Field {
        Field::new(name, FieldKind::Variables).default(DefaultValue::Text(""))
    }
    /// A UUID.
    pub const fn uuid(name: &'static str) -> Field {
        Field::new(name, FieldKind::Uuid)
    }
    /// One of a fixed set of values.
    pub const fn choice(name: &'static str, words: &'static [(&'static str, &'static str)]) -> Field {
        Field::new(name, FieldKind::Choice(words))
    }
    /// One of the words that a setting lists.
    pub const fn setting_choice(name: &'static str, words: fn(&JobSettings) -> &[String]) -> Field {
        Field::new(name, FieldKind::SettingChoice(words))
    }
    /// One of a fixed set of numbers.
    pub const fn integer_choice(name: &'static str, numbers: &'static [(i64, &'static str)]) -> Field {
        Field::new(name, FieldKind::IntegerChoice(numbers))
    }
    /// The id of an object of another resource.
    pub const fn link(name: &'static str, column: &'static str, target: fn() -> &'static Resource) -> Field {
        Field::new(name, FieldKind::Link(target)).column(column)
    }
    /// A link to a kind of object that is not implemented yet.
    pub const fn reserved(name: &'static str) -> Field {
        Field::new(name, FieldKind::Reserved).column("").nullable()
    }
    /// A secret that is stored as a digest.
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
    /// A value that a hook computes.
    pub const fn computed(name: &'static str) -> Field {
        Field::new(name, FieldKind::Computed).column("").read_only().not_filterable()
    }
}
