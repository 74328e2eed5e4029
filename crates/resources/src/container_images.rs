//! The names of container images.

/// Whether this is the name of an image: `[domain[:port]/]path[:tag][@digest]`, as the reference grammar of container
/// registries defines it.
pub fn is_image_name(name: &str) -> bool {
    let (name, digest) = match name.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (name, None),
    };
    if !digest.is_none_or(is_digest) {
        return false;
    }
    // A colon before the last slash belongs to the port of the domain.
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    };
    if !tag.is_none_or(is_tag) {
        return false;
    }
    let is_path = |path: &str| path.split('/').all(is_path_component);
    is_path(name) || name.split_once('/').is_some_and(|(domain, path)| is_domain(domain) && is_path(path))
}

/// Letters and digits in lower case, separated by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator = |separator: &str| {
        ["", ".", "_", "__"].contains(&separator) || (!separator.is_empty() && separator.chars().all(|c| c == '-'))
    };
    component.starts_with(is_plain) && component.ends_with(is_plain) && component.split(is_plain).all(is_separator)
}

/// A host name with an optional port.
fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (domain, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_port = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(is_word) && tag.chars().all(|c| is_word(c) || c == '.' || c == '-')
}

/// `algorithm:hex`, such as `sha256:…`.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(is_part) && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::is_image_name;

    #[test]
    fn image_names_follow_the_reference_grammar() {
        let digest = format!("a/b@sha256:{}", "0".repeat(64));
        for name in [
            "a",
            "a/b",
            "quay.io/ansible/awx-ee:latest",
            "quay.example.org/a/b:1",
            "UPPER/case",
            "localhost:5000/a",
            "host:5000/a/b:tag",
            "a__b/c--d",
            &digest,
            "a:1",
        ] {
            assert!(is_image_name(name), "{name}");
        }
        for name in [
            "",
            "not an image",
            "a:b:c",
            "UPPER",
            "a/UPPER",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a@",
            "a@sha256:12",
            "a___b",
            "-a/b",
            "a/b:-x",
            "a/b;rm",
            "--privileged",
        ] {
            assert!(!is_image_name(name), "{name}");
        }
    }
}
