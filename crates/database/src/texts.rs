//! The index of texts: which rows of a table may hold a part of a text.
//!
//! It may find too many rows, and never too few: the condition that it stands for is asked of each row it finds. On
//! SQLite it is a table of FTS5 with the trigrams of all texts; on PostgreSQL a column `searched` of each table, with an
//! index of `pg_trgm` where that is installed. The migration `texts` makes both, and tells how they are kept.

use sea_query::{Alias, Condition, Expr, ExprTrait, LikeExpr};

use crate::Dialect;
use crate::dialect::{fold, literally};

/// A table whose texts are in the index.
#[derive(Debug, PartialEq, Eq)]
pub struct Texts {
    /// Its name.
    pub table: &'static str,
    /// The columns with the texts; none is ever NULL.
    pub columns: &'static [&'static str],
    /// What its entries on SQLite begin with.
    number: i64,
}

/// All tables whose texts are in the index. The activity stream is not: each change writes an entry into it, whose
/// texts are so long that keeping them in the index would cost as much as all the rest of the change.
pub const TEXTS: &[Texts] = &[
    Texts { table: "users", columns: &["username", "first_name", "last_name", "email"], number: 1 },
    Texts { table: "organizations", columns: &["name", "description"], number: 2 },
    Texts { table: "teams", columns: &["name", "description"], number: 3 },
    Texts { table: "projects", columns: &["name", "description"], number: 4 },
    Texts { table: "labels", columns: &["name"], number: 5 },
    Texts { table: "applications", columns: &["name", "description"], number: 6 },
    Texts { table: "credentials", columns: &["name", "description"], number: 7 },
];

/// The table of SQLite's that notes which entries are not in the index yet.
pub(crate) const CHANGED: &str = "texts_changed";
/// Makes SQLite's index anew.
pub(crate) const FILL: &str = "DELETE FROM texts_changed;
    INSERT INTO texts (texts) VALUES ('delete-all');
    INSERT INTO texts (rowid, text) SELECT entry, text FROM searched_texts;";
/// Makes PostgreSQL's index where it is missing.
pub(crate) const INDEX: &str = "SELECT index_texts()";

/// Bits of an entry's number that are the id.
const ID: u32 = 48;
/// How long a part of a text must be, in characters.
const SHORTEST: usize = 3;
/// How many trigrams of one text are considered.
const TRIGRAMS: usize = 4;
/// One row of how many the index may find to be of use: to look a row up costs so much more than to pass over it.
const ONE_OF: u64 = 16;
/// How many rows a table has that is looked through sooner than the index is asked.
const SMALL: u64 = 8_000;
/// So few rows that it does not pay to ask the index which of them hold something else as well.
const FEW: i64 = 64;

/// What to look up: rows of a table that may hold all of some texts, each in any of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    texts: &'static Texts,
    /// For each text: trigrams on SQLite, a pattern of LIKE on PostgreSQL.
    parts: Vec<Vec<String>>,
    dialect: Dialect,
}

impl Texts {
    /// Those of a table, if that column of it is in the index.
    pub fn of(table: &str, column: &str) -> Option<&'static Texts> {
        TEXTS.iter().find(|texts| texts.table == table && texts.columns.contains(&column))
    }
}

impl Sought {
    /// What to look up for rows that hold all of these texts, whatever their case. None if the index cannot tell: it
    /// knows nothing of texts that are too short.
    pub fn new<'t>(
        dialect: Dialect,
        texts: &'static Texts,
        parts: impl IntoIterator<Item = &'t str>,
    ) -> Option<Sought> {
        let parts = parts.into_iter().map(|text| match dialect {
            Dialect::Sqlite => trigrams(text),
            Dialect::Postgres => pattern(text).into_iter().collect(),
        });
        let parts: Vec<Vec<String>> = parts.filter(|parts| !parts.is_empty()).collect();
        (!parts.is_empty()).then_some(Sought { texts, parts, dialect })
    }

    /// The condition that `row`, which is one of the table, may hold the texts.
    pub fn condition(&self, row: &str) -> Expr {
        let column = |name| Expr::col((Alias::new(row), Alias::new(name)));
        match self.dialect {
            Dialect::Sqlite => {
                let Texts { number, .. } = self.texts;
                // By ids, so that SQLite can look up these rows only.
                let template = format!(
                    "? IN (SELECT rowid - ({number} << {ID}) FROM texts WHERE texts MATCH ? AND {} \
                     UNION ALL SELECT entry - ({number} << {ID}) FROM texts_changed WHERE {})",
                    self.within("rowid"),
                    self.within("entry")
                );
                let query: Vec<String> = self.parts.iter().flatten().map(|trigram| quoted(trigram)).collect();
                Expr::cust_with_exprs(template, [column("id"), Expr::val(query.join(" AND "))])
            }
            Dialect::Postgres => {
                let like = |pattern: &String| column("searched").like(LikeExpr::new(pattern).escape('\\'));
                let all = self.parts.iter().flatten().map(like).fold(Condition::all(), Condition::add);
                all.into()
            }
        }
    }

    /// What to ask the database before [`Sought::narrowed`] can tell whether the index is of use: numbers, of which
    /// none is large. Nothing where the database decides by itself.
    pub fn questions(&self) -> Vec<Expr> {
        if self.dialect == Dialect::Postgres {
            return vec![];
        }
        let most = format!("(SELECT max((coalesce(max(id), 0) - {SMALL}) / {ONE_OF}, 0) FROM {})", self.texts.table);
        let within = self.within("rowid");
        let count = |trigram: &String| {
            let template = format!(
                "(SELECT count(*) FROM (SELECT rowid FROM texts WHERE texts MATCH ? AND {within} LIMIT {most}))"
            );
            Expr::cust_with_values(template, [quoted(trigram)])
        };
        [Expr::cust(most.clone())].into_iter().chain(self.parts.iter().flatten().map(count)).collect()
    }

    /// The same with the trigrams only that find fewest rows; None if all find so many that to look these up would cost
    /// more than to look at all there are.
    pub fn narrowed(&self, answers: &[i64]) -> Option<Sought> {
        let (most, counts) = answers.split_first()?;
        let mut counts = counts.iter().copied();
        let mut parts = vec![];
        for trigrams in &self.parts {
            let mut counted: Vec<(i64, &String)> = counts.by_ref().zip(trigrams).collect();
            counted.sort_unstable();
            parts.push(counted);
        }
        let (fewest, rarest) = *parts.iter().filter_map(|counted| counted.first()).min()?;
        if fewest >= *most {
            return None;
        }
        let first = |counted: &Vec<(i64, &String)>| counted.first().map(|(_, trigram)| vec![(*trigram).clone()]);
        let parts = match parts.as_slice() {
            _ if fewest <= FEW => vec![vec![rarest.clone()]],
            // What else tells the same rows apart: another part of the only text, unless it is in most rows, or each
            // other text.
            [only] => {
                let rare = only.iter().take(2).filter(|(count, _)| count < most);
                vec![rare.map(|(_, trigram)| (*trigram).clone()).collect()]
            }
            several => several.iter().filter_map(first).collect(),
        };
        Some(Sought { parts, ..self.clone() })
    }

    /// The condition that the number of an entry is one of the table's.
    fn within(&self, number: &str) -> String {
        let table = self.texts.number;
        format!("{number} BETWEEN ({table} << {ID}) AND ({} << {ID}) - 1", table + 1)
    }
}

/// A trigram in the language of FTS5.
fn quoted(trigram: &str) -> String {
    format!("\"{}\"", trigram.replace('"', "\"\""))
}

/// Some of the trigrams of a text, in lower case, that are in the index wherever this text occurs.
fn trigrams(text: &str) -> Vec<String> {
    let characters: Vec<char> = fold(text).chars().collect();
    let known: Vec<&[char]> = characters
        .windows(SHORTEST)
        .enumerate()
        .filter(|(start, trigram)| {
            let next = characters.get(start + SHORTEST);
            let followers = trigram.iter().skip(1).chain(next).map(Some).chain([None]);
            trigram.iter().zip(followers).all(|(character, next)| is_known(*character, next.copied()))
        })
        .map(|(_, trigram)| trigram)
        .collect();
    // Neighbours tell almost the same: those from the whole text tell most.
    let count = known.len().min(TRIGRAMS);
    let mut chosen: Vec<String> =
        (0..count).map(|index| known[index * (known.len() - 1) / (count - 1).max(1)].iter().collect()).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Whether FTS5 finds this character of a folded text in whatever that was before it was folded. FTS5 folds by tables of
/// its own, which are older and fold each character into one.
fn is_known(character: char, next: Option<char>) -> bool {
    match character {
        // What is left of the dotted capital I, to which FTS5 does nothing: an i, and a dot above.
        'i' => next.is_some_and(|next| next != '\u{307}'),
        '\u{307}' => false,
        // Letters that have had capitals since long ago, and what has none.
        '\0'..='\u{17f}' | '\u{386}'..='\u{3ce}' | '\u{400}'..='\u{481}' => true,
        _ => {
            let is_itself = |mut folded: std::char::ToLowercase| folded.next() == Some(character);
            let mut upper = character.to_uppercase();
            is_itself(character.to_lowercase()) && upper.next() == Some(character) && upper.next().is_none()
        }
    }
}

/// The pattern of LIKE that a folded text meets in which this one occurs.
fn pattern(text: &str) -> Option<String> {
    let folded = fold(text);
    // How a final sigma is folded depends on what comes after it.
    let is_certain = folded.chars().count() >= SHORTEST && !folded.contains(['σ', 'ς']);
    is_certain.then(|| format!("%{}%", literally(&folded)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn what_is_looked_up_is_found_in_every_spelling() -> rusqlite::Result<()> {
        let connection = Connection::open_in_memory()?;
        let table = "CREATE VIRTUAL TABLE t USING fts5 (text, content = '', detail = none, tokenize = 'trigram')";
        connection.execute_batch(table)?;
        let mut insert = connection.prepare("INSERT INTO t (rowid, text) VALUES (?1, ?2)")?;
        let characters =
            || ('\u{1}'..=char::MAX).filter(|character| character.to_string() != fold(&character.to_string()));
        for character in characters() {
            insert.execute(rusqlite::params![character as i64, format!("xy{character}zw")])?;
        }
        let mut find = connection.prepare("SELECT 1 FROM t WHERE t MATCH ?1 AND rowid = ?2")?;
        let mut found = 0;
        for character in characters() {
            let folded: Vec<char> = fold(&format!("xy{character}zw")).chars().collect();
            // Whatever part of it is sought.
            for (start, end) in (0..folded.len()).flat_map(|start| (start..=folded.len()).map(move |end| (start, end)))
            {
                for trigram in trigrams(&folded[start..end].iter().collect::<String>()) {
                    let query = format!("\"{trigram}\"");
                    assert!(
                        find.exists(rusqlite::params![query, character as i64])?,
                        "{trigram:?} is not found in xy{character}zw ({:x})",
                        character as u32
                    );
                    found += 1;
                }
            }
        }
        assert!(found > 200, "only {found} were looked up");
        Ok(())
    }

    #[test]
    fn trigrams_are_of_the_whole_text() {
        assert_eq!(trigrams("Ro"), [""; 0]);
        assert_eq!(trigrams("Ros"), ["ros"]);
        assert_eq!(trigrams("99@example.org"), ["99@", "exa", "org", "ple"]);
        // The last may be what is left of a dotted capital I.
        assert_eq!(trigrams("rossi"), ["oss", "ros"]);
        assert_eq!(trigrams("rossini"), ["oss", "ros", "sin", "ssi"]);
        assert_eq!(trigrams("aaaaaa"), ["aaa"]);
        assert_eq!(trigrams("a\u{307}bc"), [""; 0]);
    }

    #[test]
    fn the_trigrams_that_find_fewest_are_looked_up() {
        let users = Texts::of("users", "email").unwrap();
        let sought = |texts: &[&str]| Sought::new(Dialect::Sqlite, users, texts.iter().copied()).unwrap();
        let one = sought(&["99@example.org"]);
        assert_eq!(one.questions().len(), 5);
        assert_eq!(one.narrowed(&[500, 40, 500, 500, 500]).unwrap().parts, [["99@"]]);
        assert_eq!(one.narrowed(&[500, 400, 500, 500, 450]).unwrap().parts, [["99@", "ple"]]);
        assert_eq!(one.narrowed(&[500, 400, 500, 500, 500]).unwrap().parts, [["99@"]]);
        assert_eq!(one.narrowed(&[500; 5]), None);
        let two = sought(&["grac", "hopp"]);
        assert_eq!(two.narrowed(&[500, 500, 450, 400, 420]).unwrap().parts, [["rac"], ["hop"]]);
        assert_eq!(two.narrowed(&[500, 500, 500, 400, 30]).unwrap().parts, [["opp"]]);
        assert_eq!(two.narrowed(&[]), None);
    }

    #[test]
    fn patterns_mean_themselves() {
        assert_eq!(pattern("5%_\\Ä").as_deref(), Some("%5\\%\\_\\\\ä%"));
        assert_eq!(pattern("ab"), None);
        assert_eq!(pattern("ΟΔΟΣ"), None);
    }
}
