//! Authentication: of requests by tokens, passwords and sessions; sign-in with second factors, OAuth2 and LDAP.

mod authenticate;
mod authenticator;
mod cleanup;
mod first_superuser;
mod last_used;
mod ldap;
mod login;
mod login_page;
pub mod oauth;
mod open_connections;
mod session_age;
pub mod sign_in;
mod user_row;

pub use authenticate::{AuthOutcome, Authentication, RequestHead, unauthenticated};
pub use authenticator::Authenticator;
pub use cleanup::{DeleteExpiredSessions, DeleteExpiredTokens};
pub use first_superuser::{BootstrapError, FirstPassword, FirstUser, create_first_superuser};
pub use login::{login, logout};
pub use open_connections::{SignIn, present_actors};
pub use session_age::SESSION_TIMEOUT;
