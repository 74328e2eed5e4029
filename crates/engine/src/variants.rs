//! Pages of lists whose rows are objects of several types: each row is loaded and serialized as its variant.

use std::collections::BTreeMap;

use hostler_database::{Row, Type};
use hostler_schema::{Variants, column};
use sea_query::SelectStatement;

use crate::hooks::{RenderContext, ResponseObject};
use crate::list::LoadedPage;
use crate::select::{LoadedObject, ROW, Selection};
use crate::{Engine, Error};

impl Engine {
    /// The page with the ids that this query selects, in its order or, if `backwards`, in the reverse order. The number of
    /// statements depends on the number of variants on the page, not on that of its rows.
    pub(crate) async fn page_of_variants(
        &self,
        variants: Variants,
        mut ids: SelectStatement,
        backwards: bool,
        view: RenderContext<'_>,
    ) -> Result<LoadedPage, Error> {
        ids.expr(column(ROW, variants.column));
        let rows = self.read_with_rules(view.actor, ids, &[Type::Integer, Type::Text]).await?;
        let mut objects: BTreeMap<i64, ResponseObject> = BTreeMap::new();
        for variant in variants.iter() {
            let of_variant = rows.iter().filter(|row| row.text(1) == Some(variant.name));
            let ids: Vec<i64> = of_variant.filter_map(|row| row.integer(0)).collect();
            if ids.is_empty() {
                continue;
            }
            let selection = Selection::with_ids(variant, view.actor, &ids);
            let found = self.database.read(&selection.query, &selection.types).await?;
            let loaded: Vec<LoadedObject> = found.into_iter().map(|row| selection.reading.load(row)).collect();
            let serialized = self.serialize_page(variant, loaded, view).await?;
            objects.extend(serialized.into_iter().map(|object| (object.loaded.record.id, object)));
        }
        let take = |row: &Row| row.integer(0).and_then(|id| objects.remove(&id));
        let mut page: Vec<ResponseObject> = rows.iter().filter_map(take).collect();
        if backwards {
            page.reverse();
        }
        Ok(LoadedPage { rows: rows.len() as u64, objects: page })
    }
}
