//! Where sealed texts stand in the database.

use hostler_database::Type;
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use serde_json::Value as Json;

use crate::SecretContext;
use crate::cipher::{BEGINNING, key_id};

/// A column in which sealed texts stand. Every one must be known to a rotation
/// of keys, which would leave its secrets unreadable otherwise.
#[derive(Clone, Copy, Debug)]
pub struct SecretColumn {
    /// The kind in their places.
    pub kind: &'static str,
    /// The table, whose primary key is `id`.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// How they stand there.
    pub encoding: Encoding,
}

/// How sealed texts stand in a column.
#[derive(Clone, Copy, Debug)]
pub enum Encoding {
    /// The column is a sealed text, of the place with this field and the id in the column `owner`.
    Text {
        /// The field.
        field: &'static str,
        /// The column with the id.
        owner: &'static str,
    },
    /// The column is a JSON object with sealed texts among its values. The field
    /// is this one, a dot and the key.
    Members {
        /// The field.
        field: &'static str,
    },
    /// The column is a JSON text that is sealed, of a place with the id 0 and
    /// what the column `name` says as field.
    Named {
        /// The column with the field.
        name: &'static str,
    },
}

/// A row of a column.
pub(crate) struct SecretRow {
    /// Its primary key.
    pub id: i64,
    owner: i64,
    name: String,
    text: String,
}

/// What came of sealing a row anew.
#[derive(Default)]
pub(crate) struct Reencrypted {
    /// What to store, if anything is different.
    pub text: Option<String>,
    /// How many texts were sealed anew.
    pub encrypted: u64,
    /// The places of those that could not be opened.
    pub undecryptable: Vec<String>,
}

impl SecretRow {
    /// Decodes a row of [`SecretColumn::rows`].
    pub(crate) fn decode(row: &hostler_database::Row) -> SecretRow {
        let text = |column| row.text(column).unwrap_or_default().to_owned();
        SecretRow {
            id: row.integer(0).unwrap_or_default(),
            owner: row.integer(1).unwrap_or_default(),
            name: text(2),
            text: text(3),
        }
    }
}

impl SecretColumn {
    /// Rows that hold sealed texts, of this key if one is named, in the order of their ids.
    pub(crate) fn rows(&self, after: i64, key: Option<&str>, limit: u64) -> SelectStatement {
        let column = |name: &'static str| Expr::col((Alias::new(self.table), Alias::new(name)));
        let (owner, name) = match self.encoding {
            Encoding::Text { owner, .. } => (column(owner), Expr::Constant("".into())),
            Encoding::Members { .. } => (column("id"), Expr::Constant("".into())),
            Encoding::Named { name } => (Expr::Constant(0i64.into()), column(name)),
        };
        let pattern = format!("%{BEGINNING}{}%", key.map(|key| format!("{key}$")).unwrap_or_default());
        Query::select()
            .exprs([column("id"), owner, name, column(self.column)])
            .from(Alias::new(self.table))
            .and_where(column("id").gt(after))
            .and_where(column(self.column).like(pattern))
            .order_by((Alias::new(self.table), Alias::new("id")), Order::Asc)
            .limit(limit)
            .to_owned()
    }

    /// The types of the columns of [`SecretColumn::rows`].
    pub(crate) const TYPES: [Type; 4] = [Type::Integer, Type::Integer, Type::Text, Type::Text];

    /// The ids of the keys of all sealed texts in a row.
    pub(crate) fn keys(&self, row: &SecretRow) -> Vec<String> {
        let mut keys = vec![];
        self.each(row, &mut |_, text| {
            keys.extend(key_id(text).map(str::to_owned));
            None
        });
        keys
    }

    /// Seals anew what the key `old` has sealed; `reencrypt` does it for one text, and says `None` if it cannot be opened.
    pub(crate) fn reencrypt(
        &self,
        row: &SecretRow,
        old: &str,
        reencrypt: &dyn Fn(&SecretContext<'_>, &str) -> Option<String>,
    ) -> Reencrypted {
        let mut outcome = Reencrypted::default();
        let (mut encrypted, mut undecryptable) = (0, vec![]);
        let text = self.each(row, &mut |context, text| {
            if key_id(text) != Some(old) {
                return None;
            }
            let new = reencrypt(context, text);
            match new {
                Some(_) => encrypted += 1,
                None => undecryptable.push(format!("{context} (row {} of {})", row.id, self.table)),
            }
            new
        });
        outcome.text = text.filter(|_| encrypted > 0);
        (outcome.encrypted, outcome.undecryptable) = (encrypted, undecryptable);
        outcome
    }

    /// Calls `change` for each text that might be sealed, and tells what the
    /// column is with the texts that it gives in their places.
    fn each(
        &self,
        row: &SecretRow,
        change: &mut dyn FnMut(&SecretContext<'_>, &str) -> Option<String>,
    ) -> Option<String> {
        match self.encoding {
            Encoding::Text { field, .. } => change(&SecretContext::new(self.kind, row.owner, field), &row.text),
            Encoding::Members { field } => {
                let mut document: Json = serde_json::from_str(&row.text).ok()?;
                for (key, value) in document.as_object_mut()? {
                    let field = format!("{field}.{key}");
                    let context = SecretContext::new(self.kind, row.owner, &field);
                    if let Some(new) = value.as_str().and_then(|text| change(&context, text)) {
                        *value = new.into();
                    }
                }
                Some(document.to_string())
            }
            Encoding::Named { .. } => {
                let document: Json = serde_json::from_str(&row.text).ok()?;
                let context = SecretContext::new(self.kind, row.owner, &row.name);
                change(&context, document.as_str()?).map(|new| Json::from(new).to_string())
            }
        }
    }
}
