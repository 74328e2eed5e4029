//! The check of a playbook's path.

/// Whether a path can name a file of a project: relative, without `..`, empty parts and control characters.
pub fn is_path_in_project(path: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    !path.starts_with('-') && !path.chars().any(char::is_control) && path.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::is_path_in_project;

    #[test]
    fn paths_out_of_the_project_are_rejected() {
        for path in ["site.yml", "playbooks/a b.yml", ".hidden/x.yml", "a..b/c.yml"] {
            assert!(is_path_in_project(path), "{path}");
        }
        for path in ["/etc/passwd", "../x.yml", "a/../../x.yml", "a//b.yml", "./a.yml", "a\nb.yml", "-x.yml", ""] {
            assert!(!is_path_in_project(path), "{path:?}");
        }
    }
}
