//! `hostler user`: changes users directly in the database, for users who can read the data folder.

use std::io::{BufRead, IsTerminal};

use anyhow::{Result, bail};
use hostler_auth::sign_in::{reset_second_factor, unlock};
use hostler_database::Type;
use hostler_engine::{Error, ObjectKey, UpdateMethod};
use hostler_resources::{IS_ACTIVE, IS_SUPERUSER, PASSWORD, USER, USERNAME};
use hostler_schema::{Actor, column};
use hostler_server::App;
use hostler_settings::Settings;
use sea_query::{Alias, Order, Query};
use serde_json::{Map, Value as Json};

use crate::options::UserCommand;
use crate::output::print_line;
use crate::storage;

/// Runs a `user` command.
pub async fn run(command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Create { data, username, superuser, email } => {
            let app = storage::app(&data).await?;
            let mut body = Map::new();
            body.insert(USERNAME.name.into(), username.as_str().into());
            body.insert(PASSWORD.name.into(), read_password()?.into());
            body.insert(IS_SUPERUSER.name.into(), superuser.into());
            body.insert("email".into(), email.into());
            let actor = operator(&app).await?;
            app.engine().create(&actor, &USER, &body, None).await.map_err(explain)?;
            print_line(&format!("Created {username}."))
        }
        UserCommand::Password { data, username } => {
            let app = storage::app(&data).await?;
            change(&app, &username, PASSWORD.name, read_password()?.into()).await?;
            print_line(&format!("Changed the password of {username}."))
        }
        UserCommand::Disable { data, username } => {
            change(&storage::app(&data).await?, &username, IS_ACTIVE.name, false.into()).await?;
            print_line(&format!("Disabled {username}."))
        }
        UserCommand::Enable { data, username } => {
            change(&storage::app(&data).await?, &username, IS_ACTIVE.name, true.into()).await?;
            print_line(&format!("Enabled {username}."))
        }
        UserCommand::Unlock { data, username } => {
            let app = storage::app(&data).await?;
            unlock(&app.auth, &operator(&app).await?, &username).await.map_err(explain)?;
            print_line(&format!("Unlocked {username}."))
        }
        UserCommand::ResetSecondFactor { data, username } => {
            let app = storage::app(&data).await?;
            reset_second_factor(&app.auth, &operator(&app).await?, &username).await.map_err(explain)?;
            print_line(&format!("{username} has no second factor now."))
        }
        UserCommand::List { data } => list(&storage::app(&data).await?).await,
    }
}

/// Changes a field of a user.
async fn change(app: &App, username: &str, field: &str, value: Json) -> Result<()> {
    let body: Map<String, Json> = [(field.to_owned(), value)].into_iter().collect();
    let (actor, target) = (operator(app).await?, ObjectKey::Name(username.to_owned()));
    app.engine().update(&actor, &USER, &target, UpdateMethod::Patch, &body, None).await.map_err(explain)?;
    Ok(())
}

/// No permission check: only the password policy applies.
async fn operator(app: &App) -> Result<Actor> {
    let settings = Settings::load(&app.engine().database).await?;
    Ok(settings.system_actor())
}

async fn list(app: &App) -> Result<()> {
    let query = Query::select()
        .exprs(["id", "username", "is_superuser", "is_system_auditor", "is_active"].map(|name| column("users", name)))
        .from(Alias::new("users"))
        .order_by((Alias::new("users"), Alias::new("id")), Order::Asc)
        .to_owned();
    let types = [Type::Integer, Type::Text, Type::Boolean, Type::Boolean, Type::Boolean];
    for row in app.engine().database.read(&query, &types).await? {
        let words = [(row.boolean(2), "superuser"), (row.boolean(3), "system auditor"), (!row.boolean(4), "disabled")];
        let words: Vec<&str> = words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
        print_line(&format!(
            "{}\t{}\t{}",
            row.integer(0).unwrap_or_default(),
            row.text(1).unwrap_or_default(),
            words.join(", ")
        ))?;
    }
    Ok(())
}

fn read_password() -> Result<String> {
    let stdin = std::io::stdin();
    let password = if stdin.is_terminal() {
        let password = rpassword::prompt_password("New password: ")?;
        if rpassword::prompt_password("Once more: ")? != password {
            bail!("the two passwords differ");
        }
        password
    } else {
        let mut line = String::new();
        stdin.lock().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() {
        bail!("a password is required: type it, or pass it on standard input");
    }
    Ok(password)
}

/// An error in one line.
fn explain(failure: Error) -> anyhow::Error {
    let text = match failure {
        Error::Invalid(problems) => {
            let lines: Vec<String> =
                problems.iter().map(|(field, messages)| format!("{field}: {}", messages.join(" "))).collect();
            lines.join("; ")
        }
        Error::NotFound(_) => "there is no such user".into(),
        Error::BadRequest(detail) | Error::BadRequestMsg(detail) | Error::Conflict(detail) => detail,
        Error::Forbidden(detail) => detail.unwrap_or_else(|| "not allowed".into()),
        other => format!("{other:?}"),
    };
    anyhow::anyhow!(text)
}
