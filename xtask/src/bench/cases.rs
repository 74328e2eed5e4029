//! The benchmark cases.

/// The authentication of the requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A personal token.
    Token,
    /// Username and password with each request.
    Basic,
}

/// The kind of request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Show a user.
    Get,
    /// The first 25 users of the list, with the count.
    List,
    /// PATCH of the first name of one user after the other.
    Patch,
}

/// A request that is measured with several numbers of connections.
pub struct Case {
    /// The kind of request.
    pub kind: Kind,
    /// The authentication.
    pub by: By,
    /// The numbers of connections, each with AWX's requests per second if known.
    pub connections: &'static [(u32, Option<f64>)],
}

/// AWX 24.6.1 on a similar machine with 2 cores, for orientation. For one connection only the time of one warm GET is
/// known: 28 ms.
const AWX_ONE_GET: f64 = 1.0 / 0.028;

/// All cases.
pub const CASES: [Case; 5] = [
    Case { kind: Kind::Get, by: By::Token, connections: &[(1, Some(AWX_ONE_GET)), (8, Some(60.0))] },
    Case { kind: Kind::List, by: By::Token, connections: &[(1, None), (8, Some(11.0))] },
    Case { kind: Kind::Patch, by: By::Token, connections: &[(1, None), (8, Some(35.0)), (32, None)] },
    Case { kind: Kind::Get, by: By::Basic, connections: &[(1, None), (8, None)] },
    Case { kind: Kind::Patch, by: By::Basic, connections: &[(1, None), (8, Some(13.0)), (32, None)] },
];

impl Case {
    /// The request in words.
    pub fn name(&self) -> &'static str {
        match (self.kind, self.by) {
            (Kind::Get, By::Token) => "GET user, token",
            (Kind::List, By::Token) => "GET list of 25 users, token",
            (Kind::Patch, By::Token) => "PATCH user, token",
            (Kind::Get, By::Basic) => "GET user, Basic",
            (Kind::List, By::Basic) => "GET list of 25 users, Basic",
            (Kind::Patch, By::Basic) => "PATCH user, Basic",
        }
    }
}
