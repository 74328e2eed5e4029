//! Browser sessions, which AWX does not list.

use async_trait::async_trait;
use hostler_engine::{Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_schema::{Access, Action, Actor, Draft, Field, Resource, Rule, column, fields};
use sea_query::ExprTrait;

use crate::USER;
use crate::common::CREATED;

const USER_LINK: Field = fields::link("user", "user_id", || &USER)
    .label("User")
    .read_only()
    .recorded()
    .summarized()
    .help("The user who is signed in.");
const LAST_USED: Field = fields::time("last_used")
    .label("Last used")
    .nullable()
    .read_only()
    .help("When the session was last used, to the minute.");
const EXPIRES: Field = fields::time("expires").label("Expires").read_only().help("When the session expires.");
const ADDRESS: Field = fields::text("address")
    .label("Address")
    .read_only()
    .recorded()
    .help("The network address from which the session was opened.");
const USER_AGENT: Field = fields::text("user_agent")
    .label("User agent")
    .read_only()
    .help("The User-Agent header of the browser that opened the session.");
const CURRENT: Field = fields::computed("current")
    .label("Current")
    .type_name("boolean")
    .help("Whether this is the session of the request.");

/// Sessions. Their digests and bindings are not fields, so no response can show them.
pub static SESSION: Resource = Resource {
    filters_activity: false,
    type_label: "Session",
    list_title: "Sessions",
    detail_title: "Session Detail",
    description: "Sessions of browsers. Everybody sees and ends their own; superusers see and end all. One that has \
                  expired may be listed for up to an hour.",
    summarized_as: &[],
    search: &["address", "user_agent"],
    creatable: false,
    editable: false,
    ..Resource::new(
        "session",
        "sessions",
        "Session",
        &[fields::id(), CREATED, USER_LINK, LAST_USED, EXPIRES, ADDRESS, USER_AGENT, CURRENT],
        &SessionAccess,
    )
};

struct SessionAccess;

impl Access for SessionAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match action {
            Action::Read | Action::Delete => {
                Rule::from_bool(actor.is_superuser).or(Rule::When(column(row, "user_id").eq(actor.id)))
            }
            Action::Change => Rule::None,
        }
    }

    /// Sessions are created by signing in.
    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::None
    }
}

/// Marks the session of the request.
pub struct SessionHooks;

#[async_trait]
impl Hooks for SessionHooks {
    async fn enrich(
        &self,
        _engine: &Engine,
        view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        for shown in page {
            let current = view.actor.session == Some(shown.loaded.record.id);
            shown.json.insert(CURRENT.name.into(), current.into());
        }
        Ok(())
    }
}
