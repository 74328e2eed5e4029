//! What all copies have in common.

use hostler_schema::COPY_NAME;

use super::ActionRequest;
use crate::read::{Source, load};
use crate::{Engine, Error, ObjectKey, Record};

impl Engine {
    /// The original of a requested copy, after a check that the name of the copy differs from its name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the same name, and as for [`Engine::show`].
    pub async fn original(&self, request: &ActionRequest<'_>) -> Result<Record, Error> {
        let (resource, target) = (request.resource, ObjectKey::Id(request.id));
        let loaded = load(self, &mut Source::Database(&self.database), resource, &target, request.actor).await?;
        let original = loaded.record;
        if resource.field(COPY_NAME.name).is_some_and(|name| original.text(name) == request.input.text(&COPY_NAME)) {
            let message = "The original object has this name: a copy of it needs another.";
            return Err(Error::field("__all__", message));
        }
        Ok(original)
    }
}
