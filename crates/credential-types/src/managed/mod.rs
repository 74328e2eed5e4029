//! The credential types that every AWX 24.6.1 has.
//!
//! Names, kinds, namespaces, ids and labels are AWX's, because clients rely on them; the
//! help texts are ours. As in AWX, types that need code instead of templates show no
//! injectors.

mod clouds;
mod external;
mod machines;
mod services;
mod sync;

use serde_json::{Map, Value as Json, json};

pub use sync::sync;

/// A credential type that is part of the server.
#[derive(Debug)]
pub struct ManagedType {
    /// The name.
    pub name: &'static str,
    /// The kind, such as `cloud`.
    pub kind: &'static str,
    /// The fixed identifier, which stays the same if the name changes.
    pub namespace: &'static str,
    fields: &'static [Field],
    metadata: &'static [Field],
    required: &'static [&'static str],
    /// A field and the field that it depends on.
    dependency: Option<(&'static str, &'static str)>,
    injectors: Injectors,
}

/// The templates of a type.
#[derive(Debug)]
struct Injectors {
    file: Option<&'static str>,
    env: &'static [(&'static str, &'static str)],
    extra_vars: &'static [(&'static str, &'static str)],
}

const NONE: Injectors = Injectors { file: None, env: &[], extra_vars: &[] };

/// All managed types, in the order of their ids in a new AWX.
pub static MANAGED_TYPES: &[&ManagedType] = &[
    &machines::MACHINE,
    &machines::SOURCE_CONTROL,
    &machines::VAULT,
    &machines::NETWORK,
    &clouds::AMAZON,
    &clouds::OPENSTACK,
    &clouds::VMWARE,
    &clouds::SATELLITE,
    &clouds::GOOGLE,
    &clouds::AZURE,
    &services::GITHUB,
    &services::GITLAB,
    &services::BITBUCKET,
    &services::INSIGHTS,
    &clouds::VIRTUALIZATION,
    &clouds::CONTROLLER,
    &services::KUBERNETES,
    &services::REGISTRY,
    &services::GALAXY,
    &services::GPG,
    &clouds::TERRAFORM,
    &external::CONJUR,
    &external::HASHICORP_SECRET,
    &external::HASHICORP_SSH,
    &external::AZURE_KEY_VAULT,
    &external::CYBERARK,
    &external::CENTRIFY,
    &external::DEVOPS_SECRETS_VAULT,
    &external::SECRET_SERVER,
    &external::AWS_SECRETS_MANAGER,
];

impl ManagedType {
    const fn new(
        name: &'static str,
        kind: &'static str,
        namespace: &'static str,
        fields: &'static [Field],
        required: &'static [&'static str],
    ) -> Self {
        ManagedType { name, kind, namespace, fields, metadata: &[], required, dependency: None, injectors: NONE }
    }

    /// The value of the field `inputs`.
    pub fn inputs(&self) -> Json {
        let mut inputs = Map::new();
        inputs.insert("fields".into(), self.fields.iter().map(Field::json).collect());
        if !self.metadata.is_empty() {
            inputs.insert("metadata".into(), self.metadata.iter().map(Field::json).collect());
        }
        if !self.required.is_empty() {
            inputs.insert("required".into(), json!(self.required));
        }
        if let Some((field, needs)) = self.dependency {
            inputs.insert("dependencies".into(), json!({field: [needs]}));
        }
        inputs.into()
    }

    /// The value of the field `injectors`.
    pub fn injectors(&self) -> Json {
        let pairs = |pairs: &[(&str, &str)]| -> Json {
            pairs
                .iter()
                .map(|(name, template)| ((*name).to_owned(), Json::from(*template)))
                .collect::<Map<_, _>>()
                .into()
        };
        let mut injectors = Map::new();
        if let Some(template) = self.injectors.file {
            injectors.insert("file".into(), json!({"template": template}));
        }
        if !self.injectors.env.is_empty() {
            injectors.insert("env".into(), pairs(self.injectors.env));
        }
        if !self.injectors.extra_vars.is_empty() {
            injectors.insert("extra_vars".into(), pairs(self.injectors.extra_vars));
        }
        injectors.into()
    }
}

/// One input of a managed type.
#[derive(Clone, Copy, Debug)]
struct Field {
    id: &'static str,
    label: &'static str,
    boolean: bool,
    format: Option<&'static str>,
    secret: bool,
    multiline: bool,
    ask_at_runtime: bool,
    choices: &'static [&'static str],
    default: Option<Default>,
    help: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Default {
    Text(&'static str),
    True,
}

/// A text.
const fn text(id: &'static str, label: &'static str) -> Field {
    Field {
        id,
        label,
        boolean: false,
        format: None,
        secret: false,
        multiline: false,
        ask_at_runtime: false,
        choices: &[],
        default: None,
        help: "",
    }
}

/// A secret text.
const fn secret(id: &'static str, label: &'static str) -> Field {
    Field { secret: true, ..text(id, label) }
}

/// True or false.
const fn boolean(id: &'static str, label: &'static str) -> Field {
    Field { boolean: true, ..text(id, label) }
}

/// Private keys in PEM.
const fn key(id: &'static str, label: &'static str) -> Field {
    Field { format: Some("ssh_private_key"), multiline: true, ..secret(id, label) }
}

/// A URL.
const fn url(id: &'static str, label: &'static str) -> Field {
    Field { format: Some("url"), ..text(id, label) }
}

impl Field {
    const fn multiline(mut self) -> Self {
        self.multiline = true;
        self
    }
    /// The value `ASK` makes a job ask for the input at launch.
    const fn ask_at_runtime(mut self) -> Self {
        self.ask_at_runtime = true;
        self
    }
    const fn format(mut self, format: &'static str) -> Self {
        self.format = Some(format);
        self
    }
    const fn choices(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }
    const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(Default::Text(text));
        self
    }
    const fn default_true(mut self) -> Self {
        self.default = Some(Default::True);
        self
    }
    const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    fn json(&self) -> Json {
        let mut json = Map::new();
        json.insert("id".into(), self.id.into());
        json.insert("label".into(), self.label.into());
        json.insert("type".into(), if self.boolean { "boolean" } else { "string" }.into());
        if let Some(format) = self.format {
            json.insert("format".into(), format.into());
        }
        let flags = [("secret", self.secret), ("multiline", self.multiline), ("ask_at_runtime", self.ask_at_runtime)];
        json.extend(flags.into_iter().filter(|(_, on)| *on).map(|(name, on)| (name.to_owned(), on.into())));
        if !self.choices.is_empty() {
            json.insert("choices".into(), json!(self.choices));
        }
        match self.default {
            Some(Default::Text(text)) => drop(json.insert("default".into(), text.into())),
            Some(Default::True) => drop(json.insert("default".into(), true.into())),
            None => {}
        }
        if !self.help.is_empty() {
            json.insert("help_text".into(), self.help.into());
        }
        json.into()
    }
}

#[cfg(test)]
mod tests;
