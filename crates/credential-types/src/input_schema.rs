use std::collections::BTreeMap;

use serde_json::Value as Json;

/// What the credentials of a type consist of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputSchema {
    /// The values of a credential.
    pub fields: Vec<InputField>,
    /// What must be told at each look-up, for types with which values are looked up elsewhere.
    pub metadata: Vec<InputField>,
    /// The ids of what work cannot do without. As in AWX a credential may lack
    /// them while it is stored, because they may come from another credential.
    pub required: Vec<String>,
    /// Fields that mean nothing unless others are set, by id.
    pub dependencies: BTreeMap<String, Vec<String>>,
}

/// One value of a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct InputField {
    /// The key among the values of a credential, and the variable in templates.
    pub id: String,
    /// Its name for people.
    pub label: String,
    /// Whether it is a text.
    pub kind: InputType,
    /// The form that the text must have.
    pub format: Option<Format>,
    /// The only texts allowed; any if empty.
    pub choices: Vec<String>,
    /// The value in forms that have not been filled in.
    pub default: Option<Json>,
    /// Whether it must be kept sealed and never be shown.
    pub secret: bool,
    /// Whether it may have several lines.
    pub multiline: bool,
    /// Whether the text `ASK` means to ask when work starts.
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

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One or more private keys, and certificates, in PEM.
    SshPrivateKey,
    /// A URL with scheme and host.
    Url,
    /// The name of a vault, which has no `@`.
    VaultId,
}

impl InputSchema {
    /// Reads a stored definition. It was checked when it was stored: what makes
    /// no sense all the same is left out.
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

    /// The field of this id.
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

    /// The value that stands for nothing.
    pub(crate) fn empty_value(&self) -> Json {
        match (self.choices.first(), self.kind) {
            (Some(first), _) => first.as_str().into(),
            (None, InputType::Text) => "".into(),
            (None, InputType::Boolean) => false.into(),
        }
    }
}
