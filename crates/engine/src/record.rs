use std::collections::BTreeMap;

use hostler_database::Value;
use hostler_schema::{Actor, Field, Resource};

/// The stored values of an object, by the fields of its description.
#[derive(Clone, Debug)]
pub struct Record {
    /// The description.
    pub resource: &'static Resource,
    /// The id; 0 for an object that is not stored yet.
    pub id: i64,
    /// One value for each field of the description; Null if nothing is stored.
    pub values: Vec<Value>,
}

impl Record {
    /// An object with no value set.
    pub fn empty(resource: &'static Resource) -> Self {
        Record { resource, id: 0, values: vec![Value::Null; resource.fields.len()] }
    }

    /// The value of a field; Null if the description has no such field.
    pub fn get(&self, field: &Field) -> &Value {
        static NULL: Value = Value::Null;
        self.position(field).map_or(&NULL, |position| &self.values[position])
    }

    /// Sets the value of a field that the description has.
    pub fn set(&mut self, field: &Field, value: Value) {
        if let Some(position) = self.position(field) {
            self.values[position] = value;
        }
    }

    /// The text of a field; "" if there is none.
    pub fn text(&self, field: &Field) -> &str {
        match self.get(field) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// The boolean of a field; false if there is none.
    pub fn boolean(&self, field: &Field) -> bool {
        matches!(self.get(field), Value::Boolean(true))
    }

    /// The number of a field.
    pub fn integer(&self, field: &Field) -> Option<i64> {
        match self.get(field) {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    fn position(&self, field: &Field) -> Option<usize> {
        self.resource.fields.iter().position(|candidate| candidate.name == field.name)
    }
}

/// A write in progress.
pub struct Edit<'a> {
    /// The actor who writes.
    pub actor: &'a Actor,
    /// The stored object; `None` for a new one.
    pub old: Option<Record>,
    /// The object after the write.
    pub new: Record,
    /// Whether the request replaces the object (PUT). False for PATCH and for a new object.
    pub replaces: bool,
    /// The plain text of secrets in the request, by field name. Never logged.
    pub secrets: BTreeMap<&'static str, String>,
    /// The digests that will be stored for them, by field name.
    pub digests: BTreeMap<&'static str, String>,
    /// The plain text of generated secrets, by field name, for the one response that shows them.
    pub revealed: BTreeMap<&'static str, String>,
}

impl Edit<'_> {
    /// Whether the object does not exist yet.
    pub fn is_new(&self) -> bool {
        self.old.is_none()
    }

    /// Whether the stored value of this field changes. All fields of a new object do.
    pub fn changes(&self, field: &Field) -> bool {
        if self.secrets.contains_key(field.name) {
            return true;
        }
        match &self.old {
            Some(old) => old.get(field) != self.new.get(field),
            None => true,
        }
    }
}
