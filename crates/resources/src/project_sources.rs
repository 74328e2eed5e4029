//! Source URLs and folder names of projects, which are passed to git and other programs.

/// Whether a source may be handed to a version-control program: of a known
/// scheme, and nothing that it could read as an option or as a command.
pub fn is_allowed_scm_url(url: &str) -> bool {
    const SCHEMES: [&str; 10] = [
        "http://",
        "https://",
        "ssh://",
        "git://",
        "git+ssh://",
        "svn://",
        "svn+ssh://",
        "ftp://",
        "ftps://",
        "file://",
    ];
    if url.is_empty() {
        return true;
    }
    if url.starts_with('-') || has_control_characters(url) || url.contains("::") {
        return false;
    }
    let scheme = SCHEMES.iter().find(|scheme| url.to_ascii_lowercase().starts_with(*scheme));
    match scheme {
        // ssh reads a host that starts with a dash as an option.
        Some(scheme) => {
            let rest = &url[scheme.len()..];
            let has_host = *scheme == "file://" || !rest.is_empty() && !rest.starts_with('/');
            has_host && !rest.starts_with('-') && !url.contains("@-")
        }
        // user@host:path, as git has it
        None => url.split_once('@').and_then(|(_, rest)| rest.split_once(':')).is_some_and(|(host, path)| {
            !host.is_empty() && !host.starts_with('-') && !path.starts_with('-') && !url.contains("://")
        }),
    }
}

/// Fails for a branch or refspec that git would read as an option, or as several words.
///
/// # Errors
/// The message for the client.
pub fn check_git_name(name: &str) -> Result<(), &'static str> {
    if name.starts_with('-') || has_control_characters(name) {
        return Err("This must not start with a dash or contain spaces or control characters.");
    }
    Ok(())
}

/// Whether a text has characters that end a line or an argument.
fn has_control_characters(text: &str) -> bool {
    text.chars().any(|c| c.is_control() || c == ' ')
}

/// A name with only the characters that a folder's name may have.
pub fn slug(name: &str) -> String {
    let words = name.to_lowercase();
    let parts = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_")
}
