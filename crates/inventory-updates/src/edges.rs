//! Groups in groups have no cycles, also where several sources and users have put them together.

use std::collections::{HashMap, HashSet};

/// Those of these new edges, from parent to child, that close no cycle with the present ones and those before them; and the
/// number of the others.
pub(crate) fn without_cycles(present: &[(i64, i64)], new: Vec<(i64, i64)>) -> (Vec<(i64, i64)>, usize) {
    let mut children: HashMap<i64, Vec<i64>> = HashMap::new();
    for (parent, child) in present.iter().chain(&new) {
        children.entry(*parent).or_default().push(*child);
    }
    if !has_cycle(&children) {
        return (new, 0);
    }
    // Rare: each edge is checked.
    let mut children: HashMap<i64, Vec<i64>> = HashMap::new();
    for (parent, child) in present {
        children.entry(*parent).or_default().push(*child);
    }
    let (mut accepted, mut refused) = (vec![], 0);
    for (parent, child) in new {
        if is_reachable(&children, child, parent) {
            refused += 1;
        } else {
            children.entry(parent).or_default().push(child);
            accepted.push((parent, child));
        }
    }
    (accepted, refused)
}

fn is_reachable(children: &HashMap<i64, Vec<i64>>, from: i64, to: i64) -> bool {
    let (mut seen, mut next) = (HashSet::from([from]), vec![from]);
    while let Some(group) = next.pop() {
        if group == to {
            return true;
        }
        next.extend(children.get(&group).into_iter().flatten().filter(|child| seen.insert(**child)));
    }
    false
}

/// Whether not all groups can be put in an order in which children follow their parents.
fn has_cycle(children: &HashMap<i64, Vec<i64>>) -> bool {
    let mut parents: HashMap<i64, usize> = children.keys().map(|group| (*group, 0)).collect();
    for child in children.values().flatten() {
        *parents.entry(*child).or_default() += 1;
    }
    let total = parents.len();
    let mut next: Vec<i64> = parents.iter().filter(|(_, count)| **count == 0).map(|(group, _)| *group).collect();
    let mut ordered = 0;
    while let Some(group) = next.pop() {
        ordered += 1;
        for child in children.get(&group).into_iter().flatten() {
            if let Some(count) = parents.get_mut(child) {
                *count -= 1;
                if *count == 0 {
                    next.push(*child);
                }
            }
        }
    }
    ordered < total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_that_close_cycles_are_left_out() {
        assert_eq!(without_cycles(&[(1, 2)], vec![(2, 3), (1, 3)]), (vec![(2, 3), (1, 3)], 0));
        assert_eq!(without_cycles(&[(1, 2), (2, 3)], vec![(3, 1), (3, 4)]), (vec![(3, 4)], 1));
        assert_eq!(without_cycles(&[], vec![(1, 2), (2, 1)]), (vec![(1, 2)], 1));
        assert_eq!(without_cycles(&[], vec![(1, 1)]), (vec![], 1));
        // Twice the same.
        assert_eq!(without_cycles(&[(1, 2)], vec![(1, 2)]), (vec![(1, 2)], 0));
    }
}
