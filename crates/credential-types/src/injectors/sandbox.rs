//! Renders templates that users write. They have access to the given variables only,
//! cannot load other templates, and have limits for instructions, recursion and output.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::Object;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use zeroize::Zeroizing;

/// Limit of instructions of one template: thousands of times what real ones need.
const FUEL: u64 = 20_000;
/// Limit of the output of one template, in bytes.
const MAX_OUTPUT: usize = 1024 * 1024;
/// Limit of the length of one template, in bytes: minijinja's parser recurses on long expressions.
pub const MAX_TEMPLATE: usize = 4096;
/// Limit of nested macro calls.
const MAX_RECURSION: usize = 40;

/// Why a template cannot be rendered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TemplateError {
    /// It uses an undefined name; with Jinja's message.
    Undefined(String),
    /// Any other error.
    Other(String),
}

/// Renders a template with the variables of `context`. An undefined name is an error if
/// `strict`, and renders as an empty text otherwise.
pub(super) fn render(
    template: &str,
    context: &Arc<TemplateContext>,
    strict: bool,
) -> Result<Zeroizing<String>, TemplateError> {
    if template.len() > MAX_TEMPLATE {
        return Err(TemplateError::Other(format!("the template is longer than {MAX_TEMPLATE} bytes")));
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(if strict { UndefinedBehavior::Strict } else { UndefinedBehavior::Lenient });
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    // Jinja templates call methods of Python values, such as `host.split(':')`.
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    let missed = &context.missed;
    let forbidden = &context.tower.forbidden;
    missed.set(None);
    forbidden.set(None);
    let mut output = BoundedOutput(Zeroizing::new(Vec::new()));
    let rendered = environment
        .template_from_str(template)
        .and_then(|template| template.render_captured_to(Value::from_dyn_object(context.clone()), &mut output));
    // minijinja panics if an object fails to render inside a concatenation.
    if let Some(message) = forbidden.take() {
        return Err(TemplateError::Undefined(message));
    }
    match rendered {
        Ok(_) => {}
        Err(error) => return Err(template_error(&error, missed.take())),
    }
    match String::from_utf8(std::mem::take(&mut *output.0)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(_) => Err(TemplateError::Other("the output is not UTF-8".into())),
    }
}

fn template_error(error: &Error, missed: Option<String>) -> TemplateError {
    let about_undefined = match error.kind() {
        ErrorKind::UndefinedError
        | ErrorKind::UnknownFunction
        | ErrorKind::WriteFailure
        | ErrorKind::BadSerialization => true,
        // These kinds also have other causes.
        ErrorKind::InvalidOperation | ErrorKind::UnknownMethod => {
            error.detail().is_some_and(|detail| detail.contains("undefined"))
        }
        _ => false,
    };
    match (error.kind(), missed) {
        (_, Some(missed)) if about_undefined => TemplateError::Undefined(missed),
        (ErrorKind::UndefinedError, None) => TemplateError::Undefined("a value has no such attribute".into()),
        (kind, _) => TemplateError::Other(error.detail().map_or_else(|| kind.to_string(), str::to_owned)),
    }
}

/// Shared storage for the last message about an undefined or forbidden name.
#[derive(Clone, Debug, Default)]
pub(super) struct MessageCell(Arc<Mutex<Option<String>>>);

impl MessageCell {
    fn set(&self, message: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = message;
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn undefined(&self, name: &str) {
        self.set(Some(format!("'{name}' is undefined")));
    }
}

/// The variables of a template: the credential's inputs, and `tower`.
#[derive(Debug)]
pub(super) struct TemplateContext {
    values: Vec<(String, Value)>,
    tower: Arc<Tower>,
    missed: MessageCell,
}

impl TemplateContext {
    /// A context with these values and these paths of files by name. A single file may have
    /// no name.
    pub(super) fn new(values: Vec<(String, Value)>, files: Vec<(Option<String>, String)>) -> Arc<Self> {
        let missed = MessageCell::default();
        let tower = Arc::new(Tower { files, missed: missed.clone(), forbidden: MessageCell::default() });
        Arc::new(TemplateContext { values, tower, missed })
    }
}

impl Object for TemplateContext {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if name == "tower" {
            return Some(Value::from_dyn_object(self.tower.clone()));
        }
        let found = self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        if found.is_none() {
            self.missed.undefined(name);
        }
        found
    }
}

/// The variable `tower`, which has the paths of files.
#[derive(Debug)]
struct Tower {
    files: Vec<(Option<String>, String)>,
    missed: MessageCell,
    /// The error if a template outputs `tower` or `tower.filename` itself.
    forbidden: MessageCell,
}

impl Object for Tower {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if name != "filename" {
            self.missed.undefined(&format!("tower.{name}"));
            return None;
        }
        let unnamed = self.files.iter().find(|(name, _)| name.is_none());
        Some(match unnamed {
            Some((_, path)) => Value::from(path.as_str()),
            None => Value::from_object(Files(self.clone())),
        })
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.forbidden.set(Some("Cannot directly reference reserved `tower` namespace container.".into()));
        Ok(())
    }
}

/// `tower.filename` if files have names.
#[derive(Debug)]
struct Files(Arc<Tower>);

impl Object for Files {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let found = self.0.files.iter().find(|(known, _)| known.as_deref() == Some(name));
        if found.is_none() {
            self.0.missed.undefined(&format!("tower.filename.{name}"));
        }
        found.map(|(_, path)| Value::from(path.as_str()))
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = "Must define unnamed file injector in order to reference `tower.filename`.";
        self.0.forbidden.set(Some(message.into()));
        Ok(())
    }
}

/// Output with a limited length.
struct BoundedOutput(Zeroizing<Vec<u8>>);

impl Write for BoundedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("the output is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
