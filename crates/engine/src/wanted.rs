//! What the parameters of a list ask for, with the help of the index of texts.

use std::cell::RefCell;

use hostler_database::{Sought, Type};
use hostler_schema::{Actor, Resource};
use sea_query::Query;

use crate::query::{self, ListQuery};
use crate::select::ROW;
use crate::{Engine, Error};

impl Engine {
    /// What the parameters of a list ask for. Texts are looked up in their index: on SQLite where that finds few, which
    /// it is asked first; PostgreSQL weighs that by itself.
    ///
    /// # Errors
    /// What the parameters ask for wrongly, and what the database says.
    pub(crate) async fn wanted(
        &self,
        resource: &'static Resource,
        pairs: &[(String, String)],
        actor: &Actor,
    ) -> Result<ListQuery, Error> {
        let dialect = self.database.dialect();
        let asked = RefCell::new(vec![]);
        let plain = query::parse_with(resource, pairs, actor, dialect, ROW, &|sought| {
            let questions = sought.questions();
            if questions.is_empty() {
                return Some(sought.clone());
            }
            asked.borrow_mut().push((sought.clone(), questions));
            None
        })?;
        let asked = asked.into_inner();
        if asked.is_empty() {
            return Ok(plain);
        }
        let mut query = Query::select();
        query.exprs(asked.iter().flat_map(|(_, questions)| questions.iter().cloned()));
        let count = asked.iter().map(|(_, questions)| questions.len()).sum();
        let rows = self.database.read(&query, &vec![Type::Integer; count]).await?;
        let mut answers = (0..count).map(|index| rows.first().and_then(|row| row.integer(index)).unwrap_or_default());
        let found: Vec<(Sought, Option<Sought>)> = asked
            .into_iter()
            .map(|(sought, questions)| {
                let answers: Vec<i64> = answers.by_ref().take(questions.len()).collect();
                let narrowed = sought.narrowed(&answers);
                (sought, narrowed)
            })
            .collect();
        let look_up = |sought: &Sought| found.iter().find(|(known, _)| known == sought)?.1.clone();
        Ok(query::parse_with(resource, pairs, actor, dialect, ROW, &look_up)?)
    }
}
