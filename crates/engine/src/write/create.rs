//! Creating objects, alone or through a sub-list.

use std::collections::BTreeMap;

use hostler_database::Value;
use hostler_schema::{Actor, Post, Resource, Sublist, column};
use sea_query::{Alias, ExprTrait, Query, Value as SqlValue};
use serde_json::{Map, Value as Json};

use super::check::{check, collect_messages};
use super::{UpdateMethod, encrypt_secrets, has_column, stored};
use crate::decode::{Problems, decode};
use crate::grants::ADMIN;
use crate::hooks::SystemWrite;
use crate::permissions::require;
use crate::read::{Source, load};
use crate::{AssociationRequest, Edit, Engine, Error, ObjectKey, Record};
use crate::{activity, grants, object_roles};

/// The result of a creation.
pub struct CreatedObject {
    /// Its id.
    pub id: i64,
    /// The object as its creator sees it.
    pub json: Map<String, Json>,
}

impl Engine {
    /// Creates an object. `below` is the sub-list of the POST, whose parent the object is linked to.
    ///
    /// # Errors
    /// [`Error::Forbidden`] first, then [`Error::Invalid`].
    pub async fn create(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        body: &Map<String, Json>,
        below: Option<(&'static Resource, i64, &'static Sublist)>,
    ) -> Result<CreatedObject, Error> {
        self.create_by(actor, resource, body, below, None).await
    }

    /// Creates an object in the actor's name, without checking the actor's own permission to create it.
    ///
    /// # Errors
    /// As [`Engine::create`], and those of the system write.
    pub async fn create_as_system(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        body: &Map<String, Json>,
        system_write: &dyn SystemWrite,
    ) -> Result<CreatedObject, Error> {
        self.create_by(actor, resource, body, None, Some(system_write)).await
    }

    async fn create_by(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        body: &Map<String, Json>,
        below: Option<(&'static Resource, i64, &'static Sublist)>,
        system_write: Option<&dyn SystemWrite>,
    ) -> Result<CreatedObject, Error> {
        let hooks = self.registry.hooks(resource);
        if let Some(made) = hooks.create_override(self, actor, body).await {
            let id = made?;
            let shown = self.show(actor, resource, &ObjectKey::Id(id)).await;
            let (json, _) = shown.map_err(Error::after_change)?;
            return Ok(CreatedObject { id, json });
        }
        let mut body = body.clone();
        if let Some((_, parent, Sublist { post: Post::Create(field), .. })) = below {
            body.insert((*field).into(), parent.into());
        }
        let mut edit = Edit {
            actor,
            old: None,
            new: Record::empty(resource),
            replaces: false,
            secrets: BTreeMap::new(),
            digests: BTreeMap::new(),
            revealed: BTreeMap::new(),
        };
        let mut problems = Problems::default();
        decode(&mut edit, &body, UpdateMethod::Put, &mut problems);
        if let Some(system_write) = system_write {
            system_write.prefill(&mut edit);
        }

        // Permission errors come first, because other errors could reveal something.
        match below {
            // An actor who may grant the role of the sub-list may create users there.
            Some((parent, id, Sublist { post: Post::Grant(_), .. })) => {
                grants::require_administer_object(self, actor, parent, id).await?;
            }
            Some((parent, id, Sublist { post: Post::Associate(_), .. })) => {
                self.require_change(actor, (parent, id)).await?;
                require_create(self, actor, &edit).await?;
            }
            _ if system_write.is_some() => {}
            _ => require_create(self, actor, &edit).await?,
        }
        hooks.authorize(&edit)?;
        hooks.prepare(self, &mut edit).await.or_else(|failure| collect_messages(failure, &mut problems))?;

        let mut tx = self.database.begin().await?;
        check(self, &mut tx, &mut edit, problems).await?;
        let now = self.clock.now();
        let (mut columns, mut values) = stored(&edit);
        if let Some((name, value)) = resource.own_type() {
            columns.push(name);
            values.push(value.into());
        }
        if resource.editable {
            columns.push("version");
            values.push(1i64.into());
        }
        if resource.shared_type.is_some() {
            columns.push("ansible_id");
            values.push(uuid::Uuid::new_v4().to_string().into());
        }
        for name in ["created", "modified"].into_iter().filter(|name| has_column(resource, name)) {
            columns.push(name);
            values.push(now.into());
        }
        if resource.audited {
            columns.extend(["created_by_id", "modified_by_id"]);
            values.extend([SqlValue::from(actor.user()), actor.user().into()]);
        }
        let insert = Query::insert()
            .into_table(Alias::new(resource.stored_in()))
            .columns(columns.into_iter().map(Alias::new))
            .values_panic(values.into_iter().map(Into::into))
            .to_owned();
        let id = tx.insert(&insert).await?;
        edit.new.id = id;
        if let Some(field) = resource.field("id") {
            edit.new.set(field, Value::Integer(id));
        }
        // Each ciphertext is bound to the row, whose id exists only now.
        let secrets = encrypt_secrets(self, &mut tx, &edit, id).await?;
        if !secrets.is_empty() {
            let mut update = Query::update();
            update.table(Alias::new(resource.stored_in())).and_where(column(resource.stored_in(), "id").eq(id));
            update.values(secrets.into_iter().map(|(name, text)| (Alias::new(name), text.into())));
            tx.execute_inline(&update).await?;
        }
        object_roles::create(&mut tx, resource, id).await?;
        activity::record_edit(self, &mut tx, &edit, id).await?;
        hooks.after_save(self, &mut tx, &edit, id).await?;
        if let Some(system_write) = system_write {
            system_write.consume(self, &mut tx, actor, id).await?;
        }

        // As in AWX, `user_capabilities` are those before the object is added to the parent of the sub-list.
        let mut loaded = match load(self, &mut Source::Transaction(&mut tx), resource, &ObjectKey::Id(id), actor).await
        {
            Ok(loaded) => Some(loaded),
            Err(Error::Forbidden(_)) => None,
            Err(failure) => return Err(failure),
        };
        if !loaded.as_ref().is_some_and(|loaded| loaded.changeable) && resource.role(ADMIN).is_some() {
            grants::grant_to_creator(self, &mut tx, actor, resource, id).await?;
            loaded = Some(load(self, &mut Source::Transaction(&mut tx), resource, &ObjectKey::Id(id), actor).await?);
        }
        if let Some((parent, parent_id, sublist @ Sublist { post: Post::Associate(association), .. })) = below {
            let request = AssociationRequest { id, attach: true };
            self.registry.hooks(parent).check_association(self, &mut tx, parent_id, sublist, id).await?;
            self.write_association(&mut tx, actor, (parent, parent_id), sublist, association, request).await?;
        }
        if let Some((parent, parent_id, Sublist { post: Post::Grant(role), .. })) = below {
            grants::grant_on_creation(self, &mut tx, actor, (parent, parent_id), role, id).await?;
        }
        tx.commit().await?;

        let loaded = match loaded {
            Some(loaded) => loaded,
            None => {
                let seen = load(self, &mut Source::Database(&self.database), resource, &ObjectKey::Id(id), actor).await;
                seen.map_err(Error::after_change)?
            }
        };
        let mut json = self.show_loaded(resource, loaded, actor, true).await.map_err(Error::after_change)?;
        hooks.extend_created(&edit, &mut json);
        Ok(CreatedObject { id, json })
    }
}

/// Fails unless the actor may create an object with these links.
async fn require_create(engine: &Engine, actor: &Actor, edit: &Edit<'_>) -> Result<(), Error> {
    let new = &edit.new;
    let links = |name: &str| new.resource.field(name).and_then(|field| new.integer(field));
    let rule = new.resource.access.create(actor, &links);
    require(engine, actor, rule).await
}
