use std::collections::BTreeMap;

use serde_json::Value as Json;

/// The inputs of a credential type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputSchema {
    /// The inputs of a credential.
    pub fields: Vec<InputField>,
    /// The parameters of a lookup, for external types.
    pub metadata: Vec<InputField>,
    /// The ids of required inputs. As in AWX, a stored credential may lack them, because
    /// another credential may provide them.
    pub required: Vec<String>,
    /// By id, the ids of the inputs that an input depends on.
    pub dependencies: BTreeMap<String, Vec<String>>,
}

/// The definition of one input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputField {
    /// The key in the credential's inputs, and the variable name in templates.
    pub id: String,
    /// The label on forms.
    pub label: String,
    /// The type of the value.
    pub kind: InputType,
    /// The format of the text.
    pub format: Option<Format>,
    /// The allowed texts; any text if empty.
    pub choices: Vec<String>,
    /// The initial value on forms.
    pub default: Option<Json>,
    /// Whether the value is stored encrypted and never returned.
    pub secret: bool,
    /// Whether it may have several lines.
    pub multiline: bool,
    /// Whether the text `ASK` makes a job ask for the value at launch.
    pub ask_at_runtime: bool,
}

/// The type of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    /// A text.
    Text,
    /// True or false.
    Boolean,
}

/// The format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One or more private keys, and certificates, in PEM.
    SshPrivateKey,
    /// A URL with scheme and host.
    Url,
    /// A vault identifier, which has no `@`.
    VaultId,
}

impl InputSchema {
    /// Reads a stored definition. It was checked when it was stored; invalid parts are
    /// ignored.
    pub fn read(inputs: &Json) -> InputSchema {
        let list = |key: &str| inputs.get(key).and_then(Json::as_array).into_iter().flatten();
        let texts = |value: &Json| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        let dependencies = inputs.get("dependencies").and_then(Json::as_object).into_iter().flatten();
        InputSchema {
            fields: list("fields").filter_map(InputField::read).collect(),
            metadata: list("metadata").filter_map(InputField::read).collect(),
            required: inputs.get("required").map(texts).unwrap_or_default(),
            dependencies: dependencies.map(|(id, needs)| (id.clone(), texts(needs))).collect(),
        }
    }

    /// The field with this id.
    pub fn field(&self, id: &str) -> Option<&InputField> {
        self.fields.iter().find(|field| field.id == id)
    }
}

impl InputField {
    fn read(field: &Json) -> Option<InputField> {
        let text = |key: &str| field.get(key).and_then(Json::as_str);
        let flag = |key: &str| field.get(key).and_then(Json::as_bool).unwrap_or_default();
        let choices = field.get("choices").and_then(Json::as_array).into_iter().flatten();
        Some(InputField {
            id: text("id")?.to_owned(),
            label: text("label").unwrap_or_default().to_owned(),
            kind: if text("type") == Some("boolean") { InputType::Boolean } else { InputType::Text },
            format: match text("format") {
                Some("ssh_private_key") => Some(Format::SshPrivateKey),
                Some("url") => Some(Format::Url),
                Some("vault_id") => Some(Format::VaultId),
                _ => None,
            },
            choices: choices.filter_map(Json::as_str).map(str::to_owned).collect(),
            default: field.get("default").cloned(),
            secret: flag("secret"),
            multiline: flag("multiline"),
            ask_at_runtime: flag("ask_at_runtime"),
        })
    }

    /// The value that replaces null and other empty values.
    pub(crate) fn empty_value(&self) -> Json {
        match (self.choices.first(), self.kind) {
            (Some(first), _) => first.as_str().into(),
            (None, InputType::Text) => "".into(),
            (None, InputType::Boolean) => false.into(),
        }
    }
}
