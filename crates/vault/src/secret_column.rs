//! The columns of the database that contain encrypted secrets.

use hostler_database::Type;
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use serde_json::Value as Json;

use crate::SecretContext;
use crate::cipher::{PREFIX, key_id};

/// A column that contains encrypted secrets. A rotation of keys must know all of them: the secrets of others would become
/// unreadable.
#[derive(Clone, Copy, Debug)]
pub struct SecretColumn {
    /// The kind in the context of its secrets.
    pub kind: &'static str,
    /// The table, whose primary key is `id`, or a view of it.
    pub table: &'static str,
    /// The table to write.
    pub stored_in: &'static str,
    /// The column.
    pub column: &'static str,
    /// How secrets are stored in it.
    pub encoding: Encoding,
}

/// How encrypted secrets are stored in a column.
#[derive(Clone, Copy, Debug)]
pub enum Encoding {
    /// The column is an encrypted secret; its context has this field, and the id in the column `owner`.
    Text {
        /// The field.
        field: &'static str,
        /// The column with the id.
        owner: &'static str,
    },
    /// The column is a JSON object with encrypted secrets among its values. The field of each context
    /// is this one, a dot and the key.
    Members {
        /// The field.
        field: &'static str,
    },
    /// The column is a JSON string that is an encrypted secret; its context has the id 0, and the value of the column
    /// `name` as field.
    Named {
        /// The column with the field.
        name: &'static str,
    },
}

/// A row with encrypted secrets.
pub(crate) struct SecretRow {
    /// Its primary key.
    pub id: i64,
    owner: i64,
    name: String,
    text: String,
}

/// The result of encrypting a row again.
#[derive(Default)]
pub(crate) struct Reencrypted {
    /// The new value of the column, if it changes.
    pub text: Option<String>,
    /// How many secrets were encrypted again.
    pub encrypted: u64,
    /// The locations of those that could not be decrypted.
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
    /// Selects the rows with encrypted secrets, under this key if one is given, by id.
    pub(crate) fn rows(&self, after: i64, key: Option<&str>, limit: u64) -> SelectStatement {
        let column = |name: &'static str| Expr::col((Alias::new(self.table), Alias::new(name)));
        let (owner, name) = match self.encoding {
            Encoding::Text { owner, .. } => (column(owner), Expr::Constant("".into())),
            Encoding::Members { .. } => (column("id"), Expr::Constant("".into())),
            Encoding::Named { name } => (Expr::Constant(0i64.into()), column(name)),
        };
        let pattern = format!("%{PREFIX}{}%", key.map(|key| format!("{key}$")).unwrap_or_default());
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

    /// The ids of the keys of all encrypted secrets in a row.
    pub(crate) fn keys(&self, row: &SecretRow) -> Vec<String> {
        let mut keys = vec![];
        self.each(row, &mut |_, text| {
            keys.extend(key_id(text).map(str::to_owned));
            None
        });
        keys
    }

    /// Encrypts again what the key `old` has encrypted; `reencrypt` does it for one secret, and answers `None` if it cannot
    /// be decrypted.
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

    /// Calls `change` for each text that may be an encrypted secret; answers the column with the texts that `change`
    /// returns instead.
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
