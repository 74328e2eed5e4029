//! A list of common passwords.

/// The 20,000 most frequent passwords in leaks, in lowercase and sorted by bytes,
/// one per line. The list is Django's, made by Royce Williams
/// (`common_passwords/LICENSE`), without the lines that its conversion broke.
const LIST: &str = include_str!("common_passwords/passwords.txt");

/// Whether a password is in the list. Case is ignored.
pub fn is_common(password: &str) -> bool {
    let wanted = password.trim().to_lowercase();
    let (mut rest, wanted) = (LIST, wanted.as_bytes());
    // A binary search over bytes: an index of the lines would need more memory than the list.
    while !rest.is_empty() {
        let middle = rest.as_bytes()[..rest.len() / 2].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (before, from) = rest.split_at(middle);
        let (line, after) = from.split_once('\n').unwrap_or((from, ""));
        match wanted.cmp(line.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => rest = before,
            std::cmp::Ordering::Greater => rest = after,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found_and_nothing_else() {
        assert!(LIST.lines().is_sorted(), "the search needs the list in order");
        assert!(LIST.lines().count() > 19_000);
        for line in LIST.lines() {
            assert!(is_common(line), "{line}");
            assert!(!is_common(&format!("{line}\n{line}")), "{line}");
        }
    }

    #[test]
    fn common_password_check_ignores_case() {
        for common in ["password", "PassWord", "123456", " qwerty ", "ПАРОЛЬ"] {
            assert!(is_common(common), "{common}");
        }
        for rare in ["", "Kalmar-Union-1397", "correct horse battery staple", "passwor", "password1234567"] {
            assert!(!is_common(rare), "{rare}");
        }
    }
}
