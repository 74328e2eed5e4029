//! What a job needs to start.

use std::fmt;

/// What a job needs that waits for nothing but capacity. Jobs with the same needs start in the order of their ids: if the
/// first one cannot start, none can.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Needs {
    /// How much of the capacity the job takes.
    pub impact: i64,
    /// The ids of the instance groups in which it may run, the preferred one first.
    pub groups: Vec<i64>,
}

impl Needs {
    /// Reads the column `queue_class`.
    pub(crate) fn parse(class: &str) -> Option<Needs> {
        let (impact, groups) = class.split_once('|')?;
        let groups: Result<Vec<i64>, _> = groups.split(',').filter(|group| !group.is_empty()).map(str::parse).collect();
        Some(Needs { impact: impact.parse().ok()?, groups: groups.ok()? })
    }
}

/// The text in the column `queue_class`.
impl fmt::Display for Needs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}|", self.impact)?;
        for (index, group) in self.groups.iter().enumerate() {
            write!(formatter, "{}{group}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back() {
        for (impact, groups) in [(0, vec![]), (6, vec![2]), (51, vec![3, 1, 12])] {
            let needs = Needs { impact, groups };
            assert_eq!(Needs::parse(&needs.to_string()), Some(needs));
        }
        assert_eq!(Needs { impact: 6, groups: vec![2, 1] }.to_string(), "6|2,1");
        for wrong in ["", "6", "x|1", "6|x", "6|1,,x"] {
            assert_eq!(Needs::parse(wrong), None, "{wrong}");
        }
    }
}
