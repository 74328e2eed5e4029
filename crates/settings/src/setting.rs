//! The description of a setting.

use hostler_engine::scalars::NULL;
use hostler_vault::SecretContext;
use serde_json::Value as Json;

use crate::value_type::{CustomType, Messages, ValueType, message};
use crate::values::Settings;

/// One setting: its name, the values it takes, and its texts.
pub struct Setting {
    /// The key in requests and responses; AWX's name where AWX has the setting.
    pub(crate) name: &'static str,
    pub(crate) value_type: ValueType,
    /// The value in force while none is stored.
    pub(crate) default: SettingDefault,
    pub(crate) label: &'static str,
    /// One or two sentences about its effect.
    pub(crate) help: &'static str,
    /// The unit of a number.
    pub(crate) unit: Option<&'static str>,
    /// An example for forms.
    pub(crate) placeholder: Option<fn() -> Json>,
    /// Whether null is a valid value.
    pub(crate) nullable: bool,
    /// Whether PUT must name it, as in AWX; a PUT without a setting that is not required sets its default.
    pub(crate) required: bool,
    pub(crate) read_only: bool,
    /// Why nothing reads it, if it is only accepted so that clients of AWX can set it.
    pub(crate) without_effect: Option<&'static str>,
    /// Whether AWX takes it from a file: the value follows from the options of the server.
    pub(crate) defined_in_file: bool,
    /// A check beyond the type's own.
    pub(crate) validator: Option<Validator>,
}

/// Checks a value that has the right type.
pub(crate) type Validator = fn(&Json) -> Result<(), Messages>;

/// The value of a setting that is not stored.
pub(crate) enum SettingDefault {
    Boolean(bool),
    Integer(i64),
    String(&'static str),
    /// A value with parts.
    Json(fn() -> Json),
    /// A read-only value that follows from other settings.
    Derived(fn(&Settings) -> Json),
}

impl Setting {
    const fn new(name: &'static str, value_type: ValueType, default: SettingDefault) -> Self {
        Setting {
            name,
            value_type,
            default,
            label: "",
            help: "",
            unit: None,
            placeholder: None,
            nullable: false,
            required: false,
            read_only: false,
            without_effect: None,
            defined_in_file: false,
            validator: None,
        }
    }

    pub(crate) const fn boolean(name: &'static str, default: bool) -> Self {
        Setting::new(name, ValueType::Boolean, SettingDefault::Boolean(default))
    }

    /// An integer; `min` and `max` are allowed values.
    pub(crate) const fn integer(name: &'static str, default: i64, min: i64, max: i64) -> Self {
        Setting::new(name, ValueType::Integer { min, max }, SettingDefault::Integer(default))
    }

    /// A string of at most `max_length` characters, empty by default.
    pub(crate) const fn string(name: &'static str, max_length: usize) -> Self {
        Setting::new(name, ValueType::String { max_length }, SettingDefault::String(""))
    }

    /// An http or https URL, empty by default.
    pub(crate) const fn url(name: &'static str) -> Self {
        Setting::new(name, ValueType::Url, SettingDefault::String(""))
    }

    pub(crate) const fn string_list(name: &'static str, default: fn() -> Json) -> Self {
        Setting::new(name, ValueType::StringList, SettingDefault::Json(default))
    }

    /// A setting whose values are texts by name.
    pub(crate) const fn string_map(name: &'static str, default: fn() -> Json) -> Self {
        Setting::new(name, ValueType::StringMap, SettingDefault::Json(default))
    }

    /// A setting with one of some values, each with its label.
    pub(crate) const fn choice(
        name: &'static str,
        choices: &'static [(&'static str, &'static str)],
        default: &'static str,
    ) -> Self {
        Setting::new(name, ValueType::Choice(choices), SettingDefault::String(default))
    }

    /// A time, null by default.
    pub(crate) const fn time(name: &'static str) -> Self {
        Setting { nullable: true, ..Setting::new(name, ValueType::Time, SettingDefault::Json(|| Json::Null)) }
    }

    /// A setting of an LDAP directory.
    pub(crate) const fn ldap(name: &'static str, ldap: &'static hostler_ldap::LdapSetting) -> Self {
        Setting {
            label: ldap.label,
            help: ldap.help,
            nullable: ldap.is_nullable,
            ..Setting::new(name, ValueType::Ldap(ldap), SettingDefault::Json(ldap.default))
        }
    }

    /// A setting whose type has its own check.
    pub(crate) const fn custom(name: &'static str, custom: &'static CustomType, default: fn() -> Json) -> Self {
        Setting::new(name, ValueType::Custom(custom), SettingDefault::Json(default))
    }

    /// A read-only setting whose value follows from other settings.
    pub(crate) const fn derived(name: &'static str, value_type: ValueType, value: fn(&Settings) -> Json) -> Self {
        Setting::new(name, value_type, SettingDefault::Derived(value)).read_only()
    }

    pub(crate) const fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// Sets the help text.
    pub(crate) const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    pub(crate) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    pub(crate) const fn placeholder(mut self, placeholder: fn() -> Json) -> Self {
        self.placeholder = Some(placeholder);
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Says that nothing reads it, and why.
    pub(crate) const fn without_effect(mut self, reason: &'static str) -> Self {
        self.without_effect = Some(reason);
        self
    }

    /// Says that it follows from the options of the server, which AWX has in a file.
    pub(crate) const fn defined_in_file(mut self) -> Self {
        self.defined_in_file = true;
        self
    }

    pub(crate) const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(crate) const fn validator(mut self, validator: Validator) -> Self {
        self.validator = Some(validator);
        self
    }

    /// The help text, with why the setting has no effect if it has none.
    pub(crate) fn help_text(&self) -> String {
        match self.without_effect {
            Some(reason) => format!("{} Has no effect: {reason}.", self.help),
            None => self.help.to_owned(),
        }
    }

    /// The context to which the encrypted value is bound.
    pub(crate) fn secret_context(&self) -> SecretContext<'static> {
        SecretContext::new("setting", 0, self.name)
    }

    /// Whether the value is stored encrypted and never shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.value_type, ValueType::Ldap(ldap) if ldap.is_secret)
    }

    /// The value in force while none is stored; null for a derived value.
    pub(crate) fn default_value(&self) -> Json {
        match self.default {
            SettingDefault::Boolean(value) => value.into(),
            SettingDefault::Integer(value) => value.into(),
            SettingDefault::String(value) => value.into(),
            SettingDefault::Json(value) => value(),
            SettingDefault::Derived(_) => Json::Null,
        }
    }

    /// Checks a value from a client and returns the value to store.
    pub(crate) fn check(&self, value: &Json) -> Result<Json, Messages> {
        if value.is_null() {
            return if self.nullable { Ok(Json::Null) } else { Err(message(NULL)) };
        }
        let value = self.value_type.check(value)?;
        if let Some(validator) = self.validator {
            validator(&value)?;
        }
        Ok(value)
    }

    /// The setting's values as JSON Schema.
    pub(crate) fn json_schema(&self) -> Json {
        let mut schema = self.value_type.json_schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".into(), self.help_text().into());
            if self.read_only {
                schema.insert("readOnly".into(), true.into());
            } else {
                schema.insert("default".into(), self.default_value());
            }
        }
        schema
    }
}
