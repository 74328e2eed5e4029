//! The actions of users: sign-in, second factor, and `explain_access`. AWX has none of them, so `related`, which
//! clients know, has no links to them.

use hostler_schema::{
    Access as _, Action, ActionAnswer, ActionMethod, Actor, Field, ResourceAction, Rule, column, fields,
};
use sea_query::ExprTrait;

use super::access::UserAccess;
use crate::explain_access::explain_access;

/// The actions of users.
pub const ACTIONS: &[ResourceAction] = &[
    handled_by_server(
        SIGN_IN,
        "Sign-in of a User",
        "Failed attempts to sign in as this user, and whether the user is locked out. PATCH with \
         {\"failed_attempts\": 0} resets them.",
    )
    .get(ActionMethod::new("show the sign-in status", SIGN_IN_STATUS).permit(seen))
    .patch(
        ActionMethod::new("reset the failed attempts, and end a lock", SIGN_IN_STATUS)
            .permit(own_or_changeable)
            .input(&[RESET_FAILED_ATTEMPTS]),
    ),
    handled_by_server(
        SECOND_FACTOR,
        "Second Factor of a User",
        "Codes of a device in addition to the password. POST the password to set up a new device; DELETE removes \
         another user's second factor.",
    )
    .get(ActionMethod::new("show the second factor", SECOND_FACTOR_STATUS).permit(seen))
    .post(
        ActionMethod::new("set up a second factor", ActionAnswer::NewFields(&[SECRET, URI]))
            .permit(own)
            .input(&[CURRENT_PASSWORD]),
    )
    .delete(ActionMethod::new("remove the second factor", ActionAnswer::Nothing).permit(own_or_changeable)),
    handled_by_server(
        VERIFY_SECOND_FACTOR,
        "Verify the Second Factor",
        "POST the first code of the new device to enable the second factor.",
    )
    .post(
        ActionMethod::new("verify and enable a new second factor", ActionAnswer::Fields(&[RECOVERY_CODES]))
            .permit(own)
            .input(&[CODE]),
    ),
    handled_by_server(
        RENEW_RECOVERY_CODES,
        "New Recovery Codes",
        "POST the password and a code to replace the recovery codes.",
    )
    .post(
        ActionMethod::new("replace the recovery codes", ActionAnswer::Fields(&[RECOVERY_CODES]))
            .permit(own)
            .input(&[CURRENT_PASSWORD, CODE]),
    ),
    handled_by_server(
        DISABLE_SECOND_FACTOR,
        "Disable the Second Factor",
        "POST the password and a code to disable the second factor.",
    )
    .post(
        ActionMethod::new("disable the second factor", ActionAnswer::Nothing)
            .permit(own)
            .input(&[CURRENT_PASSWORD, CODE]),
    ),
    explain_access(),
];

const fn handled_by_server(path: &'static str, title: &'static str, description: &'static str) -> ResourceAction {
    ResourceAction::new(path, title).describe(description).types(&[]).unlinked().by_server()
}

/// The path of a user's sign-in status.
pub const SIGN_IN: &str = "sign_in";
/// The path of a user's second factor.
pub const SECOND_FACTOR: &str = "second_factor";
/// The path to enable a new second factor.
pub const VERIFY_SECOND_FACTOR: &str = "second_factor/verify";
/// The path to replace the recovery codes.
pub const RENEW_RECOVERY_CODES: &str = "second_factor/recovery_codes";
/// The path to disable the second factor.
pub const DISABLE_SECOND_FACTOR: &str = "second_factor/disable";

/// The password of the user who makes the request.
pub const CURRENT_PASSWORD: Field = fields::digest("password")
    .label("Password")
    .required()
    .not_filterable()
    .help("Your password: an open session alone does not change a second factor.");
/// A code of the device, or a recovery code.
pub const CODE: Field = fields::digest("code")
    .label("Code")
    .required()
    .not_filterable()
    .help("The current code of the device, or a recovery code once the second factor is enabled.");
/// The number of failed attempts, which can only be set to 0.
pub const RESET_FAILED_ATTEMPTS: Field = fields::integer("failed_attempts")
    .label("Failed attempts")
    .hidden()
    .not_filterable()
    .help("0, which resets the failed attempts and ends a lock.");

const RECOVERY_CODES: Field = fields::json("recovery_codes")
    .label("Recovery codes")
    .items("string")
    .help("Codes for the case that the device is lost. They are shown once.");
const SECRET: Field = fields::text("secret")
    .label("Secret")
    .help("The secret in Base32, for manual input into the device. It is shown once.");
const URI: Field = fields::text("uri").label("URI").help("The secret as an otpauth URI, for a QR code.");
const USER_ID: Field = fields::integer("user").label("User").not_filterable().help("The id of the user.");
const TYPE: Field = fields::text("type").label("Type").not_filterable().help("What this describes.");
const URL: Field = fields::text("url").label("URL").not_filterable().help("The path of this description.");
const CODES_LEFT: Field = fields::integer("recovery_codes_left")
    .label("Recovery codes left")
    .nullable()
    .not_filterable()
    .help("The number of unused recovery codes.");

const SIGN_IN_STATUS: ActionAnswer = ActionAnswer::Fields(&[
    USER_ID,
    TYPE,
    URL,
    fields::boolean("is_active").label("Active").not_filterable().help("Whether the user may sign in."),
    fields::integer("failed_attempts")
        .label("Failed attempts")
        .not_filterable()
        .help("Failed attempts, each less than an hour after the previous one, the last within the last hour."),
    time("last_failure", "Last failure", "The time of the last failed attempt."),
    fields::text("last_failure_address")
        .label("Address of the last failure")
        .nullable()
        .not_filterable()
        .help("The client address of the last failed attempt."),
    time("locked_until", "Locked until", "The end of the lock."),
    fields::boolean("second_factor")
        .label("Second factor")
        .not_filterable()
        .help("Whether a code is required in addition to the password."),
    CODES_LEFT,
    fields::integer("sessions").label("Sessions").not_filterable().help("The number of open sessions."),
]);

const SECOND_FACTOR_STATUS: ActionAnswer = ActionAnswer::Fields(&[
    USER_ID,
    TYPE,
    URL,
    fields::boolean("enabled")
        .label("Enabled")
        .not_filterable()
        .help("Whether a code is required in addition to the password."),
    time("created", "Created", "The time of the setup."),
    time("confirmed", "Confirmed", "The time since when a code is required."),
    CODES_LEFT,
]);

const fn time(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::time(name).label(label).nullable().not_filterable().help(help)
}

/// The user who makes the request.
fn own(actor: &Actor, row: &str) -> Rule {
    Rule::When(column(row, "id").eq(actor.id))
}

/// The same user, and those whom the actor may change. Handlers reject what only other users may do.
fn own_or_changeable(actor: &Actor, row: &str) -> Rule {
    own(actor, row).or(UserAccess.rows(actor, Action::Change, row))
}

/// The users whose sign-in the actor may see.
fn seen(actor: &Actor, row: &str) -> Rule {
    Rule::from_bool(actor.is_superuser || actor.is_system_auditor).or(own_or_changeable(actor, row))
}
