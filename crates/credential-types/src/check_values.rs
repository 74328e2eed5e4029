//! Checks credential inputs against their type.

use serde_json::{Map, Value as Json};

use crate::private_key::{needs_passphrase, without_escapes};
use crate::python_repr::{is_false, quoted, repr, type_name, unexpected};
use crate::{Format, InputField, InputSchema, InputType};

/// What a client sends to keep a stored secret.
const ENCRYPTED: &str = "$encrypted$";
/// The passphrase of a private key, whose presence depends on the key.
const PASSPHRASE: &str = "ssh_key_unlock";

/// Errors in credential inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputErrors {
    /// Messages about the inputs as a whole.
    General(Vec<String>),
    /// Messages by the id of the input.
    PerInput(Vec<(String, Vec<String>)>),
}

/// What the checks need to know about the type besides its inputs.
#[derive(Clone, Copy, Debug)]
pub struct CredentialTypeInfo<'a> {
    /// The name.
    pub name: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// Whether the type is part of the server.
    pub managed: bool,
}

impl InputSchema {
    /// Checks credential inputs, with secrets in plain text, and replaces null and other
    /// empty values by the empty value of their field. `stored` are the stored inputs of
    /// an existing credential.
    ///
    /// Missing required inputs are no error: see [`InputSchema::required`].
    ///
    /// # Errors
    /// [`InputErrors`] for the field `inputs`, with AWX's messages. They may quote a
    /// value: return them to the client, never log them.
    pub fn check_values(
        &self,
        info: CredentialTypeInfo<'_>,
        values: &mut Map<String, Json>,
        stored: Option<&Map<String, Json>>,
    ) -> Result<(), InputErrors> {
        let general = |message: String| Err(InputErrors::General(vec![message]));
        if let (Some(stored), "vault") = (stored, info.kind)
            && let (Some(old), Some(new)) = (stored.get("vault_id"), values.get("vault_id"))
            && old != new
        {
            return general("Vault IDs cannot be changed once they have been created.".into());
        }
        for (id, value) in values.iter_mut().filter(|(_, value)| is_false(value)) {
            if let Some(field) = self.field(id) {
                *value = field.empty_value();
            }
        }
        for field in self.fields.iter().filter(|field| field.secret) {
            match values.get(&field.id) {
                Some(value) if stored.is_some() && !value.is_string() => {
                    return general(format!("secret values must be of type string, not {}", type_name(value)));
                }
                Some(value) if stored.is_none() && value == ENCRYPTED => {
                    return general(format!("{ENCRYPTED} is a reserved keyword, and cannot be used for {}.", field.id));
                }
                _ => {}
            }
        }
        if let Some(message) = self.unknown_keys(&self.fields, values) {
            return general(message);
        }
        let mut parts = InputMessages(self.fields.iter().filter_map(|field| field.error(values)).collect());
        for (id, needs) in self.dependencies.iter().filter(|(id, _)| values.contains_key(*id)) {
            for need in needs.iter().filter(|need| !values.contains_key(*need)) {
                let label = self.field(need).map_or(need, |field| &field.label);
                parts.set(id, format!("cannot be set unless \"{label}\" is set"));
            }
        }
        if info.managed && self.field(PASSPHRASE).is_some() {
            parts.passphrase(values);
        }
        parts.finish()
    }

    /// Checks the metadata of a lookup.
    ///
    /// # Errors
    /// [`InputErrors`] for the field `metadata`, with AWX's messages.
    pub fn check_metadata(&self, info: CredentialTypeInfo<'_>, values: &Map<String, Json>) -> Result<(), InputErrors> {
        if let Some(message) = self.unknown_keys(&self.metadata, values) {
            return Err(InputErrors::General(vec![message]));
        }
        let mut parts = InputMessages(self.metadata.iter().filter_map(|field| field.error(values)).collect());
        let required = |field: &&InputField| self.required.contains(&field.id);
        for field in self.metadata.iter().filter(required) {
            if values.get(&field.id).is_none_or(is_false) {
                parts.set(&field.id, format!("required for {}", info.name));
            }
        }
        parts.finish()
    }

    fn unknown_keys(&self, known: &[InputField], values: &Map<String, Json>) -> Option<String> {
        let is_unknown = |key: &&str| !known.iter().any(|field| field.id == *key);
        unexpected(values.keys().map(String::as_str).filter(is_unknown))
    }
}

/// One message for each input: the last one found.
struct InputMessages(Vec<(String, String)>);

impl InputMessages {
    fn set(&mut self, id: &str, message: String) {
        match self.0.iter_mut().find(|(known, _)| known == id) {
            Some((_, known)) => *known = message,
            None => self.0.push((id.to_owned(), message)),
        }
    }

    /// An encrypted key needs a passphrase; an unencrypted one must not have one.
    fn passphrase(&mut self, values: &Map<String, Json>) {
        let text = |id: &str| values.get(id).and_then(Json::as_str).filter(|text| !text.is_empty());
        let (key, passphrase) = (text("ssh_key_data"), text(PASSPHRASE));
        let bad_key = self.0.iter().any(|(id, _)| id == "ssh_key_data");
        let is_encrypted = key.is_some_and(|key| needs_passphrase(&without_escapes(key)) == Ok(true));
        match (is_encrypted, passphrase) {
            (true, None) => self.set(PASSPHRASE, "must be set when SSH key is encrypted.".into()),
            (false, Some(_)) if key.is_some() && !bad_key => {
                self.set(PASSPHRASE, "should not be set when SSH key is not encrypted.".into());
            }
            _ => {}
        }
    }

    fn finish(self) -> Result<(), InputErrors> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(InputErrors::PerInput(self.0.into_iter().map(|(id, message)| (id, vec![message])).collect()))
    }
}

impl InputField {
    /// The error in the value of this field, if there is one.
    fn error(&self, values: &Map<String, Json>) -> Option<(String, String)> {
        let value = values.get(&self.id)?;
        let message = match (self.kind, value) {
            (InputType::Text, Json::String(text)) => self.text_error(text)?,
            (InputType::Boolean, Json::Bool(_)) => return None,
            (InputType::Text, _) => format!("{} is not of type 'string'", repr(value)),
            (InputType::Boolean, _) => format!("{} is not of type 'boolean'", repr(value)),
        };
        Some((self.id.clone(), message))
    }

    fn text_error(&self, text: &str) -> Option<String> {
        // No environment variable, argument or INI file of a job can contain NUL.
        if text.contains('\0') {
            return Some("Null characters are not allowed.".into());
        }
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| choice == text) {
            let choices: Vec<_> = self.choices.iter().map(|choice| quoted(choice)).collect();
            return Some(format!("{} is not one of [{}]", quoted(text), choices.join(", ")));
        }
        match self.format? {
            Format::SshPrivateKey if text.is_empty() || text == ENCRYPTED => None,
            Format::SshPrivateKey => needs_passphrase(&without_escapes(text)).err().map(|error| error.to_string()),
            Format::Url => url_error(text),
            Format::VaultId => text.contains('@').then(|| "@ is not an allowed character".into()),
        }
    }
}

/// A URL needs a scheme and a host. As in AWX, any scheme is accepted.
fn url_error(text: &str) -> Option<String> {
    let scheme = text.split_once(':').filter(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let Some((_, rest)) = scheme else { return Some("Invalid URL: Missing url scheme (http, https, etc.)".into()) };
    let host = rest.strip_prefix("//").map_or("", |rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_empty().then(|| format!("Invalid URL: {text}"))
}

#[cfg(test)]
mod tests;
