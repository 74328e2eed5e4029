//! Creating objects, alone or through a sub-list.

use std::collections::BTreeMap;

use hostler_database::{Transaction, Value};
use hostler_schema::{Actor, Post, Resource, Sublist, column};
use sea_query::{Alias, ExprTrait, InsertStatement, Query};
use serde_json::{Map, Value as Json};

use super::check::{check, collect_messages};
use super::{UpdateMethod, encrypt_secrets, has_column, stored};
use crate::decode::{Problems, decode};
use crate::hooks::SystemWrite;
use crate::permissions::require;
use crate::read::{Source, load};
use crate::select::LoadedObject;
use crate::{AssociationRequest, Edit, Engine, Error, Grantee, ObjectKey, Record};
use crate::{activity, grants, object_roles};

/// The result of a creation.
pub struct CreatedObject {
    /// Its id.
    pub id: i64,
    /// The object as its creator sees it.
    pub json: Map<String, Json>,
}

/// The parameters of a creation.
#[derive(Clone, Copy)]
struct CreateRequest<'a> {
    resource: &'static Resource,
    body: &'a Map<String, Json>,
    /// The sub-list of the POST, whose parent the object is linked to.
    below: Option<(&'static Resource, i64, &'static Sublist)>,
    system_write: Option<&'a dyn SystemWrite>,
}

/// An object that is written, in a transaction that is not committed yet.
struct NewObject<'a> {
    edit: Edit<'a>,
    /// The object as its creator sees it; none if only what follows in the transaction makes it visible.
    loaded: Option<LoadedObject>,
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
        self.create_by(actor, CreateRequest { resource, body, below, system_write: None }).await
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
        self.create_by(actor, CreateRequest { resource, body, below: None, system_write: Some(system_write) }).await
    }

    /// Creates an object in the transaction of another write and in the actor's name, without checking the actor's own
    /// permission to create it, and returns its id. The hook `prepare` is not called.
    ///
    /// # Errors
    /// [`Error::Invalid`], and those of the system write.
    pub async fn create_in_transaction(
        &self,
        tx: &mut Transaction,
        actor: &Actor,
        resource: &'static Resource,
        body: &Map<String, Json>,
        system_write: &dyn SystemWrite,
    ) -> Result<i64, Error> {
        let request = CreateRequest { resource, body, below: None, system_write: Some(system_write) };
        let (edit, problems) = new_edit(actor, request);
        self.write_new(tx, edit, problems, request).await.map(|new| new.edit.new.id)
    }

    async fn create_by(&self, actor: &Actor, request: CreateRequest<'_>) -> Result<CreatedObject, Error> {
        let CreateRequest { resource, below, .. } = request;
        let hooks = self.registry.hooks(resource);
        if let Some(made) = hooks.create_override(self, actor, request.body).await {
            let id = made?;
            let shown = self.show(actor, resource, &ObjectKey::Id(id)).await;
            let (json, _) = shown.map_err(Error::after_change)?;
            return Ok(CreatedObject { id, json });
        }
        let (mut edit, mut problems) = new_edit(actor, request);
        // Permission errors come first, because other errors could reveal something.
        match below {
            // An actor who may grant the role of the sub-list may create users there.
            Some((parent, id, Sublist { post: Post::Grant(_), .. })) => {
                grants::require_administer_object(self, actor, parent, id).await?;
            }
            Some((parent, id, Sublist { post: Post::Associate(_), .. })) => {
                self.require_change(actor, (parent, id)).await?;
                require_create(self, &edit).await?;
            }
            _ if request.system_write.is_some() => {}
            _ => require_create(self, &edit).await?,
        }
        hooks.authorize(&edit)?;
        hooks.prepare(self, &mut edit).await.or_else(|failure| collect_messages(failure, &mut problems))?;

        let mut tx = self.database.begin().await?;
        let NewObject { edit, loaded } = self.write_new(&mut tx, edit, problems, request).await?;
        let id = edit.new.id;
        match below {
            Some((parent, parent_id, sublist @ Sublist { post: Post::Associate(association), .. })) => {
                let request = AssociationRequest { id, attach: true };
                self.registry.hooks(parent).check_association(self, &mut tx, parent_id, sublist, id).await?;
                self.write_association(&mut tx, actor, (parent, parent_id), sublist, association, request).await?;
            }
            Some((parent, parent_id, Sublist { post: Post::Grant(role), .. })) => {
                let object = (parent, parent_id);
                grants::grant_in_transaction(self, &mut tx, actor, object, role, Grantee::User(id)).await?;
            }
            _ => {}
        }
        tx.commit().await?;
        hooks.after_commit(self);

        let loaded = match loaded {
            Some(loaded) => loaded,
            None => {
                let mut source = Source::Database(&self.database);
                let seen = load(self, &mut source, resource, &ObjectKey::Id(id), actor).await;
                seen.map_err(Error::after_change)?
            }
        };
        let mut json = self.show_loaded(resource, loaded, actor, true).await.map_err(Error::after_change)?;
        hooks.extend_created(&edit, &mut json);
        Ok(CreatedObject { id, json })
    }

    /// Checks and writes the row, its secrets, its roles, the activity entry and the grant of its creator.
    async fn write_new<'a>(
        &self,
        tx: &mut Transaction,
        mut edit: Edit<'a>,
        problems: Problems,
        request: CreateRequest<'_>,
    ) -> Result<NewObject<'a>, Error> {
        let (actor, resource) = (edit.actor, request.resource);
        check(self, tx, &mut edit, problems).await?;
        let id = tx.insert(&insertion(self, &edit)).await?;
        edit.new.id = id;
        if let Some(field) = resource.field("id") {
            edit.new.set(field, Value::Integer(id));
        }
        // Each ciphertext is bound to the row, whose id exists only now.
        let secrets = encrypt_secrets(self, tx, &edit, id).await?;
        if !secrets.is_empty() {
            let mut update = Query::update();
            update.table(Alias::new(resource.stored_in())).and_where(column(resource.stored_in(), "id").eq(id));
            update.values(secrets.into_iter().map(|(name, text)| (Alias::new(name), text.into())));
            tx.execute_inline(&update).await?;
        }
        object_roles::create_roles(tx, resource, id).await?;
        activity::record_edit(self, tx, &edit, id).await?;
        self.registry.hooks(resource).after_save(self, tx, &edit, id).await?;
        if let Some(system_write) = request.system_write {
            system_write.consume(self, tx, actor, id).await?;
        }
        // As in AWX, `user_capabilities` are those before the object is added to the parent of the sub-list.
        let mut loaded = match load(self, &mut Source::Transaction(tx), resource, &ObjectKey::Id(id), actor).await {
            Ok(loaded) => Some(loaded),
            Err(Error::Forbidden(_)) => None,
            Err(failure) => return Err(failure),
        };
        if !loaded.as_ref().is_some_and(|loaded| loaded.changeable) && resource.role_resource.is_some() {
            object_roles::grant_to_creator(self, tx, actor, resource, id).await?;
            loaded = Some(load(self, &mut Source::Transaction(tx), resource, &ObjectKey::Id(id), actor).await?);
        }
        Ok(NewObject { edit, loaded })
    }
}

/// The edit of a new object with the values of the request, and what is wrong with them.
fn new_edit<'a>(actor: &'a Actor, request: CreateRequest<'_>) -> (Edit<'a>, Problems) {
    let mut body = request.body.clone();
    if let Some((_, parent, Sublist { post: Post::Create(field) | Post::Own(field), .. })) = request.below {
        body.insert((*field).into(), parent.into());
    }
    let mut edit = Edit {
        actor,
        old: None,
        new: Record::empty(request.resource),
        replaces: false,
        secrets: BTreeMap::new(),
        digests: BTreeMap::new(),
        revealed: BTreeMap::new(),
    };
    let mut problems = Problems::default();
    decode(&mut edit, &body, UpdateMethod::Put, &mut problems);
    if let Some(system_write) = request.system_write {
        system_write.prefill(&mut edit);
    }
    (edit, problems)
}

/// The statement that inserts the row of a new object.
fn insertion(engine: &Engine, edit: &Edit<'_>) -> InsertStatement {
    let resource = edit.new.resource;
    let now = engine.clock.now();
    let (mut columns, mut values) = stored(edit);
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
    for link in ["created_by", "modified_by"].into_iter().filter_map(|name| resource.field(name)) {
        columns.push(link.column);
        values.push(edit.actor.user().into());
    }
    Query::insert()
        .into_table(Alias::new(resource.stored_in()))
        .columns(columns.into_iter().map(Alias::new))
        .values_panic(values.into_iter().map(Into::into))
        .to_owned()
}

/// Fails unless the actor may create an object with these links.
async fn require_create(engine: &Engine, edit: &Edit<'_>) -> Result<(), Error> {
    let new = &edit.new;
    let links = |name: &str| new.resource.field(name).and_then(|field| new.integer(field));
    let access = new.resource.access;
    let refusal = match require(engine, edit.actor, access.create(edit.actor, &links)).await {
        Err(refusal @ Error::Forbidden(_)) => refusal,
        other => return other,
    };
    for (link, message, rule) in access.create_needs(edit.actor, &links) {
        if let Err(Error::Forbidden(_)) = require(engine, edit.actor, rule).await {
            return Err(Error::ForbiddenLink(link, message));
        }
    }
    Err(refusal)
}
