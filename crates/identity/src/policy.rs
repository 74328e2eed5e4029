//! The rules for new passwords.

use crate::common_passwords::is_common;

/// The longest password in characters, as in AWX.
pub const MAX_LENGTH: usize = 128;

/// The rules of an installation. Zero, the default, disables a rule. Characters are
/// Unicode scalar values.
///
/// The rules, their order and their messages are AWX's settings
/// `LOCAL_PASSWORD_MIN_LENGTH`, `_DIGITS`, `_UPPER` and `_SPECIAL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The fewest characters.
    pub min_length: u32,
    /// The fewest digits, of any script.
    pub min_digits: u32,
    /// The fewest uppercase letters, of any script.
    pub min_upper: u32,
    /// The fewest characters that are neither letters nor digits.
    pub min_special: u32,
    /// Whether common passwords are rejected. AWX has no such rule; it is checked last.
    pub refuse_common: bool,
}

impl PasswordPolicy {
    /// Whether `password` may be set.
    ///
    /// # Errors
    /// A message for the user about the first broken rule.
    pub fn check(&self, password: &str) -> Result<(), String> {
        let length = password.chars().count();
        if length > MAX_LENGTH {
            return Err(format!("Password max length is {MAX_LENGTH}"));
        }
        if length < self.min_length as usize {
            return Err(format!("Password must be at least {} characters long.", self.min_length));
        }
        let contains = |least: u32, counts: fn(char) -> bool, what: &str| {
            if password.chars().filter(|character| counts(*character)).count() < least as usize {
                return Err(format!("Password must contain at least {least} {what}."));
            }
            Ok(())
        };
        contains(self.min_digits, char::is_numeric, "digits")?;
        contains(self.min_upper, char::is_uppercase, "uppercase characters")?;
        contains(self.min_special, |character| !character.is_alphanumeric(), "special characters")?;
        if self.refuse_common && is_common(password) {
            return Err("Password is among the most common passwords.".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: PasswordPolicy =
        PasswordPolicy { min_length: 8, min_digits: 2, min_upper: 2, min_special: 2, refuse_common: false };

    #[test]
    fn first_violated_rule_is_reported() {
        let table = [
            ("", "Password must be at least 8 characters long."),
            ("A1!", "Password must be at least 8 characters long."),
            ("abcdefgh", "Password must contain at least 2 digits."),
            ("abcdefg1", "Password must contain at least 2 digits."),
            ("abcdef12", "Password must contain at least 2 uppercase characters."),
            ("ABcdef12", "Password must contain at least 2 special characters."),
            ("ABcdef1!", "Password must contain at least 2 digits."),
        ];
        for (password, message) in table {
            assert_eq!(STRICT.check(password).unwrap_err(), message, "{password}");
        }
        assert_eq!(STRICT.check("ABcd12!?"), Ok(()));
    }

    #[test]
    fn common_passwords_are_refused_on_demand_and_last() {
        let policy = PasswordPolicy { refuse_common: true, ..PasswordPolicy::default() };
        assert!(policy.check("PassWord").is_err());
        assert_eq!(policy.check("Kalmar-Union-1397"), Ok(()));
        assert_eq!(PasswordPolicy::default().check("password"), Ok(()));
        let long = PasswordPolicy { min_length: 9, ..policy };
        assert_eq!(long.check("password").unwrap_err(), "Password must be at least 9 characters long.");
    }

    #[test]
    fn default_policy_limits_length_only() {
        let policy = PasswordPolicy::default();
        assert_eq!(policy.check(""), Ok(()));
        assert_eq!(policy.check(&"x".repeat(128)), Ok(()));
        assert_eq!(policy.check(&"x".repeat(129)).unwrap_err(), "Password max length is 128");
    }

    #[test]
    fn length_limit_is_checked_first() {
        let impossible = PasswordPolicy { min_length: 200, ..PasswordPolicy::default() };
        assert_eq!(impossible.check(&"x".repeat(129)).unwrap_err(), "Password max length is 128");
        assert_eq!(impossible.check("x").unwrap_err(), "Password must be at least 200 characters long.");
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(PasswordPolicy::default().check(&"🔑".repeat(128)), Ok(()));
        assert!(PasswordPolicy::default().check(&"🔑".repeat(129)).is_err());
        let policy = PasswordPolicy { min_length: 4, ..PasswordPolicy::default() };
        assert_eq!(policy.check("üöäß"), Ok(()));
        assert!(policy.check("üöä").is_err());
    }

    #[test]
    fn letters_and_digits_of_every_script_count() {
        let upper = PasswordPolicy { min_upper: 2, ..PasswordPolicy::default() };
        assert_eq!(upper.check("ÄЖ"), Ok(()));
        let digits = PasswordPolicy { min_digits: 2, ..PasswordPolicy::default() };
        assert_eq!(digits.check("٣४"), Ok(()));
        let special = PasswordPolicy { min_special: 1, ..PasswordPolicy::default() };
        assert!(special.check("äЖ٣漢").is_err());
        assert_eq!(special.check(" "), Ok(()));
    }
}
