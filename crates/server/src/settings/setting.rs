//! What a setting is.

use hostler_engine::scalars::NULL;
use hostler_vault::SecretContext;
use serde_json::Value as Json;

use super::value_type::{Kind, Problem, problem};

/// One setting: its name, the values it takes, and its words.
pub(crate) struct Setting {
    /// The key in requests and answers, which is AWX's where AWX has the setting.
    pub name: &'static str,
    pub kind: Kind,
    /// The value in force while none is stored.
    pub default: Default,
    /// What people call it.
    pub label: &'static str,
    /// What it does, in a sentence or two.
    pub help: &'static str,
    /// What a number counts.
    pub unit: Option<&'static str>,
    /// An example for forms.
    pub placeholder: Option<fn() -> Json>,
    /// Whether null is a value of its own.
    pub nullable: bool,
    /// Whether PUT must name it; otherwise PUT without it sets the default. As in AWX.
    pub required: bool,
    /// Whether it is only shown.
    pub read_only: bool,
    /// What else must hold of a value of the right kind.
    pub rule: Option<Rule>,
}

/// A rule for the values of one setting.
pub(crate) type Rule = fn(&Json) -> Result<(), Problem>;

/// The value of a setting that nobody has set.
pub(crate) enum Default {
    Boolean(bool),
    Integer(i64),
    Text(&'static str),
    /// A value with parts.
    Made(fn() -> Json),
}

impl Setting {
    const fn new(name: &'static str, kind: Kind, default: Default) -> Self {
        Setting {
            name,
            kind,
            default,
            label: "",
            help: "",
            unit: None,
            placeholder: None,
            nullable: false,
            required: false,
            read_only: false,
            rule: None,
        }
    }

    /// A truth value.
    pub(crate) const fn boolean(name: &'static str, default: bool) -> Self {
        Setting::new(name, Kind::Boolean, Default::Boolean(default))
    }

    /// A whole number; least and greatest are allowed.
    pub(crate) const fn integer(name: &'static str, default: i64, least: i64, greatest: i64) -> Self {
        Setting::new(name, Kind::Integer { least, greatest }, Default::Integer(default))
    }

    /// A text of at most so many characters.
    pub(crate) const fn text(name: &'static str, longest: usize) -> Self {
        Setting::new(name, Kind::Text { longest }, Default::Text(""))
    }

    /// The address of a web server, or nothing.
    pub(crate) const fn web_address(name: &'static str) -> Self {
        Setting::new(name, Kind::WebAddress, Default::Text(""))
    }

    /// A list of texts.
    pub(crate) const fn texts(name: &'static str, default: fn() -> Json) -> Self {
        Setting::new(name, Kind::Texts, Default::Made(default))
    }

    /// One of the settings of a directory.
    pub(crate) const fn of_directory(name: &'static str, directory: &'static hostler_ldap::LdapSetting) -> Self {
        Setting {
            label: directory.label,
            help: directory.help,
            nullable: directory.is_nullable,
            ..Setting::new(name, Kind::Directory(directory), Default::Made(directory.default))
        }
    }

    /// Where its sealed value stands.
    pub(crate) fn place(&self) -> SecretContext<'static> {
        SecretContext::new("setting", 0, self.name)
    }

    /// Whether its value is sealed at rest and never shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Directory(directory) if directory.is_secret)
    }

    /// A value with a shape of its own.
    pub(crate) const fn shaped(
        name: &'static str,
        shape: &'static super::value_type::Shape,
        default: fn() -> Json,
    ) -> Self {
        Setting::new(name, Kind::Shaped(shape), Default::Made(default))
    }

    /// Sets what people call it.
    pub(crate) const fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// Says what it does.
    pub(crate) const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// Says what a number counts.
    pub(crate) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Gives forms an example.
    pub(crate) const fn placeholder(mut self, placeholder: fn() -> Json) -> Self {
        self.placeholder = Some(placeholder);
        self
    }

    /// PUT must name it.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It is only shown.
    pub(crate) const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// A further rule for its values.
    pub(crate) const fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// The value in force while none is stored.
    pub(crate) fn default_value(&self) -> Json {
        match self.default {
            Default::Boolean(value) => value.into(),
            Default::Integer(value) => value.into(),
            Default::Text(value) => value.into(),
            Default::Made(make) => make(),
        }
    }

    /// Takes a value as a client sends it and yields the one to store.
    pub(crate) fn check(&self, value: &Json) -> Result<Json, Problem> {
        if value.is_null() {
            return if self.nullable { Ok(Json::Null) } else { Err(problem(NULL)) };
        }
        let value = self.kind.check(value)?;
        if let Some(rule) = self.rule {
            rule(&value)?;
        }
        Ok(value)
    }

    /// The values as JSON Schema.
    pub(crate) fn schema(&self) -> Json {
        let mut schema = self.kind.schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".into(), self.help.into());
            schema.insert("default".into(), self.default_value());
        }
        schema
    }
}
