//! Passwords and flags of users, with their side effects in the same transaction.

use async_trait::async_trait;
use hostler_database::{Transaction, Type};
use hostler_engine::{
    ActionHandler, ActivityEntry, AssociationRequest, Edit, Engine, Error, Grantee, Hooks, Record, RenderContext,
    ResponseObject, set_system_role,
};
use hostler_identity::{
    password::{PasswordCheck, passwords},
    policy::PasswordPolicy,
    session::binding,
};
use hostler_schema::{Actor, Field, Singleton, Sublist, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use super::{
    EMAIL, EXTERNAL_ACCOUNT, FIRST_NAME, IS_ACTIVE, IS_SUPERUSER, IS_SYSTEM_AUDITOR, LAST_NAME, LDAP_DN, PASSWORD,
    USER, USERNAME,
};
use crate::explain_access::{EXPLAIN_ACCESS, ExplainAccess};
use crate::{TOKEN, access_list, tokens};

/// Checks and side effects of changes to users.
pub struct UserHooks;

const LAST_SUPERUSER: &str = "This is the last superuser: make another user a superuser first.";

/// Locked while the number of superusers may decrease, so that two requests at once cannot remove the last two.
const SUPERUSERS_LOCK: &str = "superusers";

#[async_trait]
impl Hooks for UserHooks {
    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        (path == EXPLAIN_ACCESS).then_some(&ExplainAccess)
    }

    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
        let external = !edit.old.as_ref().unwrap_or(&edit.new).text(&EXTERNAL_ACCOUNT).is_empty();
        if external {
            // External accounts have no local password.
            edit.secrets.remove(PASSWORD.name);
        }
        let Some(password) = edit.secrets.get(PASSWORD.name) else {
            return if edit.is_new() && !external {
                Err(Error::field(PASSWORD.name, "Password required for new User."))
            } else {
                Ok(())
            };
        };
        if let Some(old) = &edit.old
            && is_password_of(engine, old.id, password).await?
        {
            // The same password is no change and ends no session: playbooks send it at every run.
            edit.secrets.remove(PASSWORD.name);
            return Ok(());
        }
        let policy = &edit.actor.policy;
        PasswordPolicy {
            min_length: policy.password_min_length,
            min_digits: policy.password_min_digits,
            min_upper: policy.password_min_upper,
            min_special: policy.password_min_special,
            refuse_common: policy.password_refuse_common,
        }
        .check(password)
        .map_err(|message| Error::field(PASSWORD.name, message))?;
        let digest = passwords().hash(password.clone()).await.map_err(|error| Error::Internal(error.to_string()))?;
        edit.digests.insert(PASSWORD.name, digest);
        Ok(())
    }

    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        let actor = edit.actor;
        let is_self = edit.old.as_ref().is_some_and(|old| old.id == actor.id);
        if is_self && edit.changes(&IS_ACTIVE) {
            // Also for superusers, who could not undo it.
            return Err(cannot_change(&[IS_ACTIVE.name]));
        }
        if actor.is_superuser {
            return Ok(());
        }
        let raised =
            |field: &Field| edit.new.boolean(field) && !edit.old.as_ref().is_some_and(|old| old.boolean(field));
        if raised(&IS_SUPERUSER) || (!is_self && raised(&IS_SYSTEM_AUDITOR)) {
            return Err(Error::forbidden());
        }
        if edit.is_new() {
            return Ok(());
        }
        let mut refused: Vec<&str> =
            [IS_SUPERUSER, IS_SYSTEM_AUDITOR].iter().filter(|field| edit.changes(field)).map(|f| f.name).collect();
        if is_self && edit.changes(&USERNAME) {
            refused.push(USERNAME.name);
        }
        if refused.is_empty() { Ok(()) } else { Err(cannot_change(&refused)) }
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let Some(old) = &edit.old else { return Ok(()) };
        // Fields that the directory manages are changed only by a sign-in.
        if !old.text(&LDAP_DN).is_empty() && edit.actor.user().is_some() {
            for field in [USERNAME, FIRST_NAME, LAST_NAME, EMAIL, IS_SUPERUSER, IS_SYSTEM_AUDITOR] {
                if edit.actor.policy.managed.has(field.name) && edit.changes(&field) {
                    let message = format!("Unable to change {} on user managed by LDAP.", field.name);
                    return Err(Error::field(field.name, message));
                }
            }
        }
        let lost = [IS_SUPERUSER, IS_ACTIVE].into_iter().find(|field| old.boolean(field) && !edit.new.boolean(field));
        if let Some(field) = lost
            && old.boolean(&IS_SUPERUSER)
            && is_last_superuser(tx, old.id).await?
        {
            return Err(Error::field(field.name, LAST_SUPERUSER));
        }
        Ok(())
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        let actor = edit.actor.user();
        if let (false, Some(hash)) = (edit.is_new(), edit.digests.get(PASSWORD.name)) {
            let keep = edit.actor.session.map(|session| (session, binding(&engine.secret, id, hash)));
            end_sessions(tx, id, keep).await?;
        }
        if edit.old.as_ref().is_some_and(|old| old.boolean(&IS_ACTIVE)) && !edit.new.boolean(&IS_ACTIVE) {
            disable(tx, id).await?;
        }
        for (field, singleton) in [(IS_SUPERUSER, Singleton::Administrator), (IS_SYSTEM_AUDITOR, Singleton::Auditor)] {
            let (before, after) = (edit.old.as_ref().is_some_and(|old| old.boolean(&field)), edit.new.boolean(&field));
            if before != after {
                set_system_role(engine, tx, actor, singleton, id, after).await?;
                if field.name == IS_SYSTEM_AUDITOR.name {
                    let changes: Map<String, Json> =
                        [(field.name.to_owned(), json!([before, after]))].into_iter().collect();
                    ActivityEntry::about(&USER, id, "update", changes).write(engine, tx, edit.actor).await?;
                }
            }
        }
        Ok(())
    }

    async fn before_delete(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        if record.boolean(&IS_SUPERUSER) && is_last_superuser(tx, record.id).await? {
            return Err(Error::Forbidden(Some(LAST_SUPERUSER.into())));
        }
        Ok(())
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        match view.below {
            Some((parent, id, sublist)) if sublist.name == "access_list" => {
                // Boxed to keep the future of the common case small.
                Box::pin(access_list::show(engine, view.actor, parent, id, page)).await
            }
            _ => {
                for shown in page {
                    // External accounts (provider and uid) are not implemented yet.
                    shown.json.insert("auth".into(), json!([]));
                }
                Ok(())
            }
        }
    }

    async fn post_sublist(
        &self,
        engine: &Engine,
        actor: &Actor,
        parent: i64,
        sublist: &'static Sublist,
        body: &Map<String, Json>,
    ) -> Result<Option<Map<String, Json>>, Error> {
        match sublist.name {
            "roles" => {
                let asked = AssociationRequest::parse(body)?
                    .ok_or_else(|| Error::BadRequestMsg("Role 'id' field is missing.".into()))?;
                engine.change_role_of_grantee(actor, asked.id, Grantee::User(parent), asked.attach).await?;
                Ok(None)
            }
            "tokens" | "authorized_tokens" | "personal_tokens" => {
                // A token acts as its user, so only the user can create one.
                if parent != actor.id {
                    return Err(Error::forbidden());
                }
                let body = tokens::body_below(sublist.name, body)?;
                Ok(Some(engine.create(actor, &TOKEN, &body, None).await?.json))
            }
            _ => Err(Error::MethodNotAllowed),
        }
    }
}

/// Whether this is the user's current password.
async fn is_password_of(engine: &Engine, id: i64, password: &str) -> Result<bool, Error> {
    let stored = Query::select()
        .expr(column("users", "password"))
        .from(Alias::new("users"))
        .and_where(column("users", "id").eq(id))
        .to_owned();
    let rows = engine.database.read(&stored, &[Type::Text]).await?;
    let stored = rows.first().and_then(|row| row.text(0)).unwrap_or_default().to_owned();
    Ok(passwords().verify(password.to_owned(), stored).await != PasswordCheck::Wrong)
}

/// Whether no other active superuser is left.
async fn is_last_superuser(tx: &mut Transaction, id: i64) -> Result<bool, Error> {
    tx.lock(SUPERUSERS_LOCK).await?;
    let others = Query::select()
        .expr(column("users", "id"))
        .from(Alias::new("users"))
        .and_where(column("users", "is_superuser").eq(true))
        .and_where(column("users", "is_active").eq(true))
        .and_where(column("users", "id").ne(id))
        .limit(1)
        .to_owned();
    Ok(tx.read(&others, &[Type::Integer]).await?.is_empty())
}

/// Ends a user's sessions but the one to keep, which gets this new binding.
async fn end_sessions(tx: &mut Transaction, user: i64, keep: Option<(i64, String)>) -> Result<(), Error> {
    let delete = Query::delete()
        .from_table(Alias::new("sessions"))
        .and_where(column("sessions", "user_id").eq(user))
        .and_where_option(keep.as_ref().map(|(id, _)| column("sessions", "id").ne(*id)))
        .to_owned();
    tx.execute(&delete).await?;
    if let Some((id, binding)) = keep {
        let rebind = Query::update()
            .table(Alias::new("sessions"))
            .value(Alias::new("binding"), binding)
            .and_where(column("sessions", "user_id").eq(user))
            .and_where(column("sessions", "id").eq(id))
            .to_owned();
        tx.execute(&rebind).await?;
    }
    Ok(())
}

/// Ends the sessions and pending authorizations of a user who is disabled, so that they are not valid again when the
/// user is enabled. Tokens stay, and are rejected meanwhile.
async fn disable(tx: &mut Transaction, user: i64) -> Result<(), Error> {
    end_sessions(tx, user, None).await?;
    let codes = Query::delete()
        .from_table(Alias::new("authorization_codes"))
        .and_where(column("authorization_codes", "user_id").eq(user))
        .and_where(column("authorization_codes", "token_id").is_null())
        .to_owned();
    tx.execute(&codes).await?;
    Ok(())
}

fn cannot_change(fields: &[&str]) -> Error {
    Error::Forbidden(Some(format!("Cannot change {}.", fields.join(", "))))
}
