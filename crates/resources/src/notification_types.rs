//! The types of notification templates: the keys of their configuration, with AWX's names, labels and defaults.

use hostler_engine::{ENCRYPTED, default_json};
use hostler_schema::DefaultValue;
use serde_json::{Map, Value as Json, json};

/// The types, each with its label in OPTIONS.
pub const TYPES: &[(&str, &str)] = &[
    ("awssns", "AWS SNS"),
    ("email", "Email"),
    ("grafana", "Grafana"),
    ("irc", "IRC"),
    ("mattermost", "Mattermost"),
    ("pagerduty", "Pagerduty"),
    ("rocketchat", "Rocket.Chat"),
    ("slack", "Slack"),
    ("twilio", "Twilio"),
    ("webhook", "Webhook"),
];

/// The type of a value in a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SettingType {
    Text,
    Secret,
    Integer,
    Boolean,
    List,
    Object,
}

impl SettingType {
    /// The name in OPTIONS and in AWX's messages.
    fn name(self) -> &'static str {
        match self {
            SettingType::Text => "string",
            SettingType::Secret => "password",
            SettingType::Integer => "int",
            SettingType::Boolean => "bool",
            SettingType::List => "list",
            SettingType::Object => "object",
        }
    }

    fn accepts(self, value: &Json) -> bool {
        match self {
            SettingType::Text | SettingType::Secret => value.is_string(),
            SettingType::Integer => value.is_i64(),
            SettingType::Boolean => value.is_boolean(),
            SettingType::List => value.is_array(),
            SettingType::Object => value.is_object(),
        }
    }
}

/// A key of a configuration.
struct Setting {
    name: &'static str,
    label: &'static str,
    kind: SettingType,
    /// The value if the key is missing; without one the key is required.
    default: Option<DefaultValue>,
}

const fn text(name: &'static str, label: &'static str) -> Setting {
    Setting { name, label, kind: SettingType::Text, default: None }
}

const fn secret(name: &'static str, label: &'static str) -> Setting {
    Setting { name, label, kind: SettingType::Secret, default: None }
}

const fn integer(name: &'static str, label: &'static str) -> Setting {
    Setting { name, label, kind: SettingType::Integer, default: None }
}

const fn boolean(name: &'static str, label: &'static str) -> Setting {
    Setting { name, label, kind: SettingType::Boolean, default: None }
}

const fn list(name: &'static str, label: &'static str) -> Setting {
    Setting { name, label, kind: SettingType::List, default: None }
}

const fn object(name: &'static str, label: &'static str) -> Setting {
    Setting { name, label, kind: SettingType::Object, default: None }
}

impl Setting {
    const fn or(mut self, default: DefaultValue) -> Self {
        self.default = Some(default);
        self
    }
}

/// The method of webhooks.
const HTTP_METHOD: &str = "http_method";

const AWS_SNS: &[Setting] = &[
    text("aws_region", "AWS Region").or(DefaultValue::Text("")),
    text("aws_access_key_id", "Access Key ID").or(DefaultValue::Text("")),
    secret("aws_secret_access_key", "Secret Access Key").or(DefaultValue::Text("")),
    secret("aws_session_token", "Session Token").or(DefaultValue::Text("")),
    text("sns_topic_arn", "SNS Topic ARN").or(DefaultValue::Text("")),
];
const EMAIL: &[Setting] = &[
    text("host", "Host"),
    integer("port", "Port"),
    text("username", "Username"),
    secret("password", "Password"),
    boolean("use_tls", "Use TLS"),
    boolean("use_ssl", "Use SSL"),
    text("sender", "Sender Email"),
    list("recipients", "Recipient List"),
    integer("timeout", "Timeout").or(DefaultValue::Integer(30)),
];
const GRAFANA: &[Setting] = &[text("grafana_url", "Grafana URL"), secret("grafana_key", "Grafana API Key")];
const IRC: &[Setting] = &[
    text("server", "IRC Server Address"),
    integer("port", "IRC Server Port"),
    text("nickname", "IRC Nick"),
    secret("password", "IRC Server Password"),
    boolean("use_ssl", "SSL Connection"),
    list("targets", "Destination Channels or Users"),
];
const MATTERMOST: &[Setting] =
    &[text("mattermost_url", "Target URL"), boolean("mattermost_no_verify_ssl", "Verify SSL")];
const PAGERDUTY: &[Setting] = &[
    text("subdomain", "Pagerduty subdomain"),
    secret("token", "API Token"),
    text("service_key", "API Service/Integration Key"),
    text("client_name", "Client Identifier"),
];
const ROCKET_CHAT: &[Setting] =
    &[text("rocketchat_url", "Target URL"), boolean("rocketchat_no_verify_ssl", "Verify SSL")];
const SLACK: &[Setting] = &[secret("token", "Token"), list("channels", "Destination Channels")];
const TWILIO: &[Setting] = &[
    text("account_sid", "Account SID"),
    secret("account_token", "Account Token"),
    text("from_number", "Source Phone Number"),
    list("to_numbers", "Destination SMS Numbers"),
];
const WEBHOOK: &[Setting] = &[
    text("url", "Target URL"),
    text(HTTP_METHOD, "HTTP Method").or(DefaultValue::Text("POST")),
    boolean("disable_ssl_verification", "Verify SSL").or(DefaultValue::Boolean(false)),
    text("username", "Username").or(DefaultValue::Text("")),
    secret("password", "Password").or(DefaultValue::Text("")),
    object("headers", "HTTP Headers"),
];

fn settings_of(type_name: &str) -> &'static [Setting] {
    match type_name {
        "awssns" => AWS_SNS,
        "email" => EMAIL,
        "grafana" => GRAFANA,
        "irc" => IRC,
        "mattermost" => MATTERMOST,
        "pagerduty" => PAGERDUTY,
        "rocketchat" => ROCKET_CHAT,
        "slack" => SLACK,
        "twilio" => TWILIO,
        "webhook" => WEBHOOK,
        _ => &[],
    }
}

/// Whether the value with this name is a secret of this type.
pub fn is_secret(type_name: &str, name: &str) -> bool {
    settings_of(type_name).iter().any(|setting| setting.name == name && setting.kind == SettingType::Secret)
}

/// Adds defaults to a configuration and checks it. Keys that the type does not list stay: some services accept more. A
/// mask that keeps no stored secret becomes an empty text.
///
/// # Errors
/// The messages for the client.
pub fn check_configuration(type_name: &str, configuration: &mut Map<String, Json>) -> Result<(), Vec<String>> {
    let (mut missing, mut problems, mut wrong_types) = (vec![], vec![], vec![]);
    for setting in settings_of(type_name) {
        let value = match (configuration.get_mut(setting.name), setting.default) {
            (Some(value), _) => value,
            (None, Some(default)) => {
                configuration.insert(setting.name.into(), default_json(default));
                continue;
            }
            (None, None) => {
                missing.push(format!("'{}'", setting.name));
                continue;
            }
        };
        if !setting.kind.accepts(value) {
            let (name, wanted) = (setting.name, setting.kind.name());
            wrong_types.push(format!("Configuration field '{name}' incorrect type, expected {wanted}."));
        } else if value.as_array().is_some_and(Vec::is_empty) {
            problems.push(format!("No values specified for field '{}'", setting.name));
        } else if setting.kind == SettingType::Secret && value.as_str() == Some(ENCRYPTED) {
            *value = "".into();
        } else if setting.name == HTTP_METHOD
            && !value.as_str().is_some_and(|method| ["POST", "PUT"].contains(&method.to_uppercase().as_str()))
        {
            problems.push("HTTP method must be either 'POST' or 'PUT'.".into());
        }
    }
    if !missing.is_empty() {
        problems.push(format!("Missing required fields for Notification Configuration: [{}].", missing.join(", ")));
    }
    problems.extend(wrong_types);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The keys of each type in OPTIONS.
pub fn documented_settings() -> Map<String, Json> {
    let documented = |setting: &Setting| {
        let mut described = json!({"label": setting.label, "type": setting.kind.name()});
        if let Some(default) = setting.default {
            described["default"] = default_json(default);
        }
        (setting.name.to_owned(), described)
    };
    TYPES
        .iter()
        .map(|(name, _)| {
            let settings: Map<String, Json> = settings_of(name).iter().map(documented).collect();
            ((*name).to_owned(), settings.into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{TYPES, check_configuration, settings_of};

    #[test]
    fn every_type_has_settings() {
        for (name, _) in TYPES {
            assert!(!settings_of(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn defaults_are_added_and_other_keys_stay() {
        let mut sent = json!({"url": "https://example.org", "headers": {}, "more": 1});
        let configuration = sent.as_object_mut().expect("an object");
        assert_eq!(check_configuration("webhook", configuration), Ok(()));
        assert_eq!(
            sent,
            json!({
                "url": "https://example.org", "headers": {}, "more": 1, "http_method": "POST",
                "disable_ssl_verification": false, "username": "", "password": "",
            })
        );
    }

    #[test]
    fn wrong_configurations_are_rejected() {
        for (type_name, mut sent, message) in [
            ("slack", json!({}), "Missing required fields for Notification Configuration: ['token', 'channels']."),
            ("slack", json!({"token": "t", "channels": []}), "No values specified for field 'channels'"),
            (
                "slack",
                json!({"token": "t", "channels": "x"}),
                "Configuration field 'channels' incorrect type, expected list.",
            ),
            (
                "slack",
                json!({"token": 1, "channels": ["x"]}),
                "Configuration field 'token' incorrect type, expected password.",
            ),
            (
                "webhook",
                json!({"url": "u", "headers": {}, "http_method": "GET"}),
                "HTTP method must be either 'POST' or 'PUT'.",
            ),
        ] {
            let configuration = sent.as_object_mut().expect("an object");
            assert_eq!(check_configuration(type_name, configuration), Err(vec![message.to_owned()]));
        }
    }
}
