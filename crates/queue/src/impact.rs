//! How much of the capacity a job takes.

use crate::examine::Candidate;

/// The number of forks of Ansible if a job does not say it.
const DEFAULT_FORKS: i64 = 5;
/// The hosts of a job that a host asked for itself.
const CALLBACK_HOSTS: i64 = 2;

/// What an update of a project or of an inventory takes.
const UPDATE: i64 = 1;

/// What a job takes of the capacity: a fork per host, and one for the job itself.
pub(crate) fn impact(job: &Candidate, hosts: Option<i64>) -> i64 {
    if job.is_update() {
        return UPDATE;
    }
    let forks = forks(job);
    let hosts = match hosts {
        _ if job.launch_type == "callback" => CALLBACK_HOSTS,
        Some(hosts) if job.slice.1 > 1 => {
            let (number, count) = job.slice;
            hosts / count + i64::from(number <= hosts % count)
        }
        Some(hosts) => hosts,
        None => forks,
    };
    hosts.min(forks) + 1
}

/// The number of hosts of the inventory beyond which it makes no difference.
pub(crate) fn hosts_that_matter(job: &Candidate) -> i64 {
    forks(job).saturating_mul(job.slice.1.max(1))
}

fn forks(job: &Candidate) -> i64 {
    if job.forks <= 0 { DEFAULT_FORKS } else { job.forks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(kind: &str, forks: i64, slice: (i64, i64)) -> Candidate {
        Candidate {
            id: 1,
            kind: kind.into(),
            template: None,
            project: None,
            inventory: None,
            organization: None,
            has_dependencies: false,
            forks,
            launch_type: "manual".into(),
            slice,
            blockers: vec![],
        }
    }

    #[test]
    fn impact_is_that_of_awx() {
        assert_eq!(impact(&job("job", 0, (0, 1)), Some(1)), 2);
        assert_eq!(impact(&job("job", 0, (0, 1)), Some(100)), 6);
        assert_eq!(impact(&job("job", 50, (0, 1)), Some(100)), 51);
        assert_eq!(impact(&job("job", 0, (0, 1)), None), 6);
        assert_eq!(impact(&job("job", 9, (3, 3)), Some(11)), 4);
        assert_eq!(impact(&job("job", 9, (1, 3)), Some(11)), 5);
        assert_eq!(impact(&Candidate { launch_type: "callback".into(), ..job("job", 0, (0, 1)) }, Some(100)), 3);
        assert_eq!(impact(&job("project_update", 0, (0, 1)), None), 1);
        assert_eq!(impact(&job("inventory_update", 0, (0, 1)), Some(100)), 1);
        assert_eq!(impact(&job("ad_hoc_command", 0, (0, 1)), Some(3)), 4);
        assert_eq!(impact(&job("ad_hoc_command", 1, (0, 1)), Some(3)), 2);
    }
}
