//! Creating, changing and deleting objects, always in this order: load what is
//! visible, check the permission on the row, decode and validate, let the hooks
//! have their say, then one transaction for row, relations and activity.

use hostler_database::{Transaction, Type, Value};
use hostler_resource::{Actor, Field, Kind, Post, Resource, Rule, Sublist, Unique, column};
use sea_query::{Alias, ExprTrait, Query, Value as SqlValue};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

use crate::activity;
use crate::decode::{Problems, decode, is_email, no_such};
use crate::grants;
use crate::hooks::{Cause, View};
use crate::read::{Source, load};
use crate::select::{Loaded, ROW};
use crate::{Edit, Engine, Failure, Record, Target};

/// How often a change is tried that loses against other writers.
const ATTEMPTS: u32 = 3;

/// How an existing object is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Only the fields that are sent.
    Patch,
    /// The whole object; required fields must be sent.
    Put,
}

/// Tells whether an object's id and version are what `If-Match` demands.
pub type Expected<'a> = &'a (dyn Fn(i64, i64) -> bool + Sync);

/// The answer to a request that created an object.
pub struct Created {
    /// Its id.
    pub id: i64,
    /// The object as its creator sees it.
    pub json: Map<String, Json>,
}

impl Engine {
    /// Creates an object. `below` is the sub-list that was posted to, whose
    /// parent the object is linked to.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] first, then [`Failure::Invalid`].
    pub async fn create(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        body: &Map<String, Json>,
        below: Option<(&'static Resource, i64, &'static Sublist)>,
    ) -> Result<Created, Failure> {
        self.create_by(actor, resource, body, below, None).await
    }

    /// Creates an object in the actor's name, for a reason that takes the place
    /// of the actor's own permission to create it.
    ///
    /// # Errors
    /// As [`Engine::create`], and what the cause says.
    pub async fn create_because(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        body: &Map<String, Json>,
        cause: &dyn Cause,
    ) -> Result<Created, Failure> {
        self.create_by(actor, resource, body, None, Some(cause)).await
    }

    async fn create_by(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        body: &Map<String, Json>,
        below: Option<(&'static Resource, i64, &'static Sublist)>,
        cause: Option<&dyn Cause>,
    ) -> Result<Created, Failure> {
        let hooks = self.registry.hooks(resource);
        if let Some(made) = hooks.create_by_hand(self, actor, body).await {
            let id = made?;
            let (json, _) = self.show(actor, resource, &Target::Id(id)).await?;
            return Ok(Created { id, json });
        }
        let mut body = body.clone();
        if let Some((_, parent, Sublist { post: Post::Create(field), .. })) = below {
            body.insert((*field).into(), parent.into());
        }
        let mut edit = Edit {
            actor,
            old: None,
            new: Record::empty(resource),
            secrets: BTreeMap::new(),
            digests: BTreeMap::new(),
            revealed: BTreeMap::new(),
        };
        let mut problems = Problems::default();
        decode(&mut edit, &body, Method::Put, &mut problems);

        // Permission comes before everything else that an answer could reveal.
        match below {
            // Who may grant the role that comes with the sub-list may create users there.
            Some((parent, id, Sublist { post: Post::Grant(_), .. })) => {
                grants::require_administer_object(self, actor, parent, id).await?;
            }
            _ if cause.is_some() => {}
            _ => {
                let draft = edit.new.clone();
                let links = move |name: &str| resource.field(name).and_then(|field| draft.integer(field));
                require(self, resource.access.create(actor, &links)).await?;
            }
        }
        hooks.permit(&edit)?;
        hooks.prepare(self, &mut edit).await.or_else(|failure| keep(failure, &mut problems))?;

        let mut tx = self.database.begin().await?;
        check(self, &mut tx, &mut edit, problems).await?;
        let now = self.clock.now();
        let (mut columns, mut values) = stored(&edit);
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
            .into_table(Alias::new(resource.table))
            .columns(columns.into_iter().map(Alias::new))
            .values_panic(values.into_iter().map(Into::into))
            .to_owned();
        let id = tx.insert(&insert).await?;
        edit.new.id = id;
        if let Some(field) = resource.field("id") {
            edit.new.set(field, Value::Integer(id));
        }
        grants::create_object_roles(&mut tx, resource, id).await?;
        activity::record_edit(self, &mut tx, &edit, id).await?;
        hooks.saved(self, &mut tx, &edit, id).await?;
        if let Some(cause) = cause {
            cause.redeem(self, &mut tx, actor, id).await?;
        }

        // What the creator may do with the object is told as of before it joins the
        // sub-list's parent, as AWX does: so the answer is composed here.
        let loaded = match load(&mut Source::Transaction(&mut tx), resource, &Target::Id(id), actor).await {
            Ok(loaded) => Some(loaded),
            Err(Failure::Forbidden(_)) => None,
            Err(failure) => return Err(failure),
        };
        if let Some((parent, parent_id, Sublist { post: Post::Grant(role), .. })) = below {
            grants::grant_on_creation(self, &mut tx, actor, (parent, parent_id), role, id).await?;
        }
        tx.commit().await?;

        let loaded = match loaded {
            Some(loaded) => loaded,
            None => load(&mut Source::Database(&self.database), resource, &Target::Id(id), actor).await?,
        };
        let mut json = self.show_loaded(resource, loaded, actor, true).await?;
        hooks.just_created(&edit, &mut json);
        Ok(Created { id, json })
    }

    /// Changes an object and shows it as it is now, with its new version.
    /// `expected` is the version that `If-Match` demands.
    ///
    /// # Errors
    /// In this order: unknown, not visible, [`Failure::PreconditionFailed`], forbidden, invalid.
    pub async fn update(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &Target,
        method: Method,
        body: &Map<String, Json>,
        expected: Option<Expected<'_>>,
    ) -> Result<(Map<String, Json>, i64), Failure> {
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            match self.update_once(actor, resource, target, method, body, expected).await {
                // Whoever lost against another writer starts from what that one left.
                Err(Failure::Conflict(_)) if attempts > 0 => {}
                outcome => return outcome,
            }
        }
    }

    async fn update_once(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &Target,
        method: Method,
        body: &Map<String, Json>,
        expected: Option<Expected<'_>>,
    ) -> Result<(Map<String, Json>, i64), Failure> {
        let hooks = self.registry.hooks(resource);
        let mut early = None;
        // Slow work on a secret must not hold a transaction open, nor be done for those who may not write.
        if resource.fields.iter().any(|field| field.kind.is_secret() && body.contains_key(field.name)) {
            let loaded = load(&mut Source::Database(&self.database), resource, target, actor).await?;
            let (mut edit, mut problems) = self.begin_edit(actor, loaded, body, method, expected)?;
            let failed = hooks.prepare(self, &mut edit).await;
            failed.or_else(|failure| keep(failure, &mut problems))?;
            early = Some((edit.secrets, edit.digests, problems));
        }

        let mut tx = self.database.begin().await?;
        let loaded = load(&mut Source::Transaction(&mut tx), resource, target, actor).await?;
        let (id, version) = (loaded.record.id, loaded.version);
        let (mut edit, mut problems) = self.begin_edit(actor, loaded, body, method, expected)?;
        if let Some((secrets, digests, found)) = early {
            (edit.secrets, edit.digests) = (secrets, digests);
            problems = found;
        }
        require_right_to_move(&mut tx, &edit).await?;
        check(self, &mut tx, &mut edit, problems).await?;
        if changed(&edit) {
            let mut update = Query::update();
            update.table(Alias::new(resource.table)).value(Alias::new("version"), version + 1);
            let (columns, values) = stored(&edit);
            for (name, value) in columns.into_iter().zip(values) {
                update.value(Alias::new(name), value);
            }
            if has_column(resource, "modified") {
                update.value(Alias::new("modified"), self.clock.now());
            }
            if resource.audited {
                update.value(Alias::new("modified_by_id"), actor.user());
            }
            update.and_where(column(resource.table, "id").eq(id));
            tx.execute_small(&update).await?;
            activity::record_edit(self, &mut tx, &edit, id).await?;
            hooks.saved(self, &mut tx, &edit, id).await?;
        }
        // The actor may have moved the object out of their own sight; they see it once more.
        let seen = load(&mut Source::Transaction(&mut tx), resource, &Target::Id(id), actor).await;
        tx.commit().await?;
        let seen = match seen {
            Err(Failure::Forbidden(_)) => return Ok((Map::new(), version + 1)),
            other => other?,
        };
        let version = seen.version;
        Ok((self.show_loaded(resource, seen, actor, false).await?, version))
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// As [`Engine::update`].
    pub async fn delete(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &Target,
        expected: Option<Expected<'_>>,
    ) -> Result<(), Failure> {
        if let Some(done) = self.registry.hooks(resource).delete_by_hand(self, actor, target).await {
            return done;
        }
        let mut tx = self.database.begin().await?;
        self.delete_in(&mut tx, actor, resource, target, expected).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes an object as part of a larger transaction.
    ///
    /// # Errors
    /// As [`Engine::delete`].
    pub async fn delete_in(
        &self,
        tx: &mut Transaction,
        actor: &Actor,
        resource: &'static Resource,
        target: &Target,
        expected: Option<Expected<'_>>,
    ) -> Result<(), Failure> {
        let loaded = load(&mut Source::Transaction(tx), resource, target, actor).await?;
        let id = loaded.record.id;
        if !loaded.deletable {
            return Err(Failure::forbidden());
        }
        if expected.is_some_and(|matches| !matches(id, loaded.version)) {
            return Err(Failure::PreconditionFailed);
        }
        self.registry.hooks(resource).deleting(self, tx, actor, &loaded.record).await?;
        activity::record_deletion(self, tx, actor, &loaded.record).await?;
        grants::delete_object_roles(self, tx, resource, id).await?;
        let delete = Query::delete()
            .from_table(Alias::new(resource.table))
            .and_where(column(resource.table, "id").eq(id))
            .to_owned();
        tx.execute(&delete).await?;
        Ok(())
    }

    /// Checks the permission on the row and decodes the body.
    fn begin_edit<'a>(
        &self,
        actor: &'a Actor,
        loaded: Loaded,
        body: &Map<String, Json>,
        method: Method,
        expected: Option<Expected<'_>>,
    ) -> Result<(Edit<'a>, Problems), Failure> {
        if !loaded.changeable {
            return Err(Failure::forbidden());
        }
        if expected.is_some_and(|matches| !matches(loaded.record.id, loaded.version)) {
            return Err(Failure::PreconditionFailed);
        }
        let mut edit = Edit {
            actor,
            new: loaded.record.clone(),
            old: Some(loaded.record),
            secrets: BTreeMap::new(),
            digests: BTreeMap::new(),
            revealed: BTreeMap::new(),
        };
        let mut problems = Problems::default();
        decode(&mut edit, body, method, &mut problems);
        self.registry.hooks(edit.new.resource).permit(&edit)?;
        Ok((edit, problems))
    }

    async fn show_loaded(
        &self,
        resource: &'static Resource,
        loaded: Loaded,
        actor: &Actor,
        created: bool,
    ) -> Result<Map<String, Json>, Failure> {
        let mut page = self.dress(resource, vec![loaded], View { actor, detail: true, created, below: None }).await?;
        page.pop().map(|shown| shown.json).ok_or_else(|| Failure::Internal("a hook dropped the object".into()))
    }
}

/// Whether the engine keeps this column: a field of that name may lead elsewhere.
fn has_column(resource: &Resource, name: &str) -> bool {
    resource.field(name).is_some_and(|field| field.column == name)
}

/// Messages of a hook join those of the description; any other failure ends the request.
fn keep(failure: Failure, problems: &mut Problems) -> Result<(), Failure> {
    match failure {
        Failure::Invalid(found) => {
            for (field, messages) in found {
                for message in messages {
                    problems.add(&field, message);
                }
            }
            Ok(())
        }
        other => Err(other),
    }
}

/// Whether anything stored is going to change.
fn changed(edit: &Edit<'_>) -> bool {
    edit.new.resource.fields.iter().any(|field| edit.changes(field))
}

/// The columns to write and their values: all of a new object, the changed ones of an old.
fn stored(edit: &Edit<'_>) -> (Vec<&'static str>, Vec<SqlValue>) {
    let mut columns = vec![];
    let mut values = vec![];
    for field in edit.new.resource.fields {
        if let Some(digest) = edit.digests.get(field.name) {
            columns.push(field.column);
            values.push(digest.clone().into());
        } else if field.is_stored() && !field.kind.is_secret() && edit.changes(field) && is_given(edit, field) {
            columns.push(field.column);
            values.push(sql_value(edit.new.get(field), field.kind));
        }
    }
    (columns, values)
}

/// Whether a field is written: on a new object those that clients write, and
/// of the others those that a hook has set.
fn is_given(edit: &Edit<'_>, field: &Field) -> bool {
    !edit.is_new() || field.writable || *edit.new.get(field) != Value::Null
}

/// A value for a statement. Nulls carry their type, which PostgreSQL wants to know.
pub(crate) fn sql_value(value: &Value, kind: Kind) -> SqlValue {
    match value {
        Value::Integer(number) => (*number).into(),
        Value::Boolean(boolean) => (*boolean).into(),
        Value::Text(text) => text.clone().into(),
        Value::Time(time) => (*time).into(),
        Value::Json(json) => json.to_string().into(),
        Value::Null => match kind {
            Kind::Id | Kind::Integer | Kind::Link(_) => SqlValue::BigInt(None),
            Kind::Boolean => SqlValue::Bool(None),
            Kind::Time => SqlValue::JiffTimestamp(None),
            _ => SqlValue::String(None),
        },
    }
}

/// Everything that must hold before the row is written: links first, with what
/// decoding found; then, if all is well so far, the rules that compare with
/// other rows, as AWX reports them.
async fn check(
    engine: &Engine,
    tx: &mut Transaction,
    edit: &mut Edit<'_>,
    mut problems: Problems,
) -> Result<(), Failure> {
    let resource = edit.new.resource;
    for field in resource.fields.iter().filter(|field| field.writable) {
        if problems.has(field.name) || !edit.changes(field) {
            continue;
        }
        match (field.kind, edit.new.get(field)) {
            (Kind::Reserved, Value::Integer(id)) => problems.add(field.name, no_such(&id.to_string())),
            (Kind::Link(target), Value::Integer(id)) if !exists(tx, target(), *id).await? => {
                problems.add(field.name, no_such(&id.to_string()));
            }
            _ => {}
        }
    }
    if !problems.0.is_empty() {
        return Err(Failure::Invalid(problems.0));
    }
    for field in resource.fields.iter().filter(|field| matches!(field.kind, Kind::Email)) {
        if edit.changes(field) && !is_email(edit.new.text(field)) {
            problems.add(field.name, "Enter a valid email address.");
        }
    }
    for unique in resource.unique {
        if taken(tx, edit, unique).await? {
            problems.add(unique.key, unique.message);
        }
    }
    let hooks = engine.registry.hooks(resource);
    hooks.validate(engine, tx, edit).await.or_else(|failure| keep(failure, &mut problems))?;
    if problems.0.is_empty() { Ok(()) } else { Err(Failure::Invalid(problems.0)) }
}

async fn exists(tx: &mut Transaction, target: &'static Resource, id: i64) -> Result<bool, Failure> {
    let query = Query::select()
        .expr(column(ROW, "id"))
        .from_as(Alias::new(target.table), Alias::new(ROW))
        .and_where(column(ROW, "id").eq(id))
        .to_owned();
    Ok(!tx.read(&query, &[Type::Integer]).await?.is_empty())
}

/// Whether another row has the values that must be unique.
async fn taken(tx: &mut Transaction, edit: &Edit<'_>, unique: &Unique) -> Result<bool, Failure> {
    let resource = edit.new.resource;
    let fields: Vec<_> = unique.fields.iter().filter_map(|name| resource.field(name)).collect();
    if !fields.iter().any(|field| edit.changes(field)) {
        return Ok(false);
    }
    let mut query = Query::select();
    query.expr(column(ROW, "id")).from_as(Alias::new(resource.table), Alias::new(ROW)).limit(1);
    for field in fields {
        query.and_where(column(ROW, field.column).eq(sql_value(edit.new.get(field), field.kind)));
    }
    if let Some(old) = &edit.old {
        query.and_where(column(ROW, "id").ne(old.id));
    }
    Ok(!tx.read(&query, &[Type::Integer]).await?.is_empty())
}

/// Whoever links an object to another one, as to another organization, must be
/// allowed to create it there.
async fn require_right_to_move(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Failure> {
    let resource = edit.new.resource;
    if !resource.fields.iter().any(|field| matches!(field.kind, Kind::Link(_)) && edit.changes(field)) {
        return Ok(());
    }
    let draft = edit.new.clone();
    let links = move |name: &str| resource.field(name).and_then(|field| draft.integer(field));
    require_from(&mut Source::Transaction(tx), resource.access.create(edit.actor, &links)).await
}

/// Fails unless a rule that refers to no row holds.
pub(crate) async fn require(engine: &Engine, rule: Rule) -> Result<(), Failure> {
    require_from(&mut Source::Database(&engine.database), rule).await
}

async fn require_from(source: &mut Source<'_>, rule: Rule) -> Result<(), Failure> {
    let holds = match rule {
        Rule::All => true,
        Rule::None => false,
        Rule::When(condition) => {
            let query = Query::select().expr(condition).to_owned();
            let rows = source.read(&query, &[Type::Boolean]).await?;
            rows.first().is_some_and(|row| row.boolean(0))
        }
    };
    if holds { Ok(()) } else { Err(Failure::forbidden()) }
}

impl Engine {
    /// Fails unless a rule that refers to no row holds.
    ///
    /// # Errors
    /// [`Failure::Forbidden`].
    pub async fn require(&self, rule: Rule) -> Result<(), Failure> {
        require(self, rule).await
    }
}
