//! How much the nodes can run, and which node takes a job.

use std::collections::HashMap;

use crate::needs::Needs;

/// How the capacity of a node is computed, in forks of Ansible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityOptions {
    /// Forks per processor.
    pub forks_per_cpu: u32,
    /// The memory of a fork, in MiB.
    pub fork_memory: u32,
    /// The capacity by processors, instead of the computed one.
    pub cpu_capacity: Option<u32>,
    /// The capacity by memory, instead of the computed one.
    pub memory_capacity: Option<u32>,
}

impl Default for CapacityOptions {
    fn default() -> Self {
        CapacityOptions { forks_per_cpu: 4, fork_memory: 100, cpu_capacity: None, memory_capacity: None }
    }
}

/// The memory that is left to the system and the server, in MiB.
const RESERVED_MEMORY: i64 = 2048;

/// What a job takes of the capacity of the node that controls it, besides what it takes while it runs.
pub const CONTROL_IMPACT: i64 = 1;

/// The processors and the memory of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The number of processors.
    pub cpus: u32,
    /// The memory in bytes.
    pub memory: i64,
}

impl Machine {
    /// This machine, or the container that the process runs in.
    pub fn detect() -> Machine {
        let cpus = std::thread::available_parallelism().map_or(1, |number| number.get());
        let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_total(&text));
        let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
        let limit = limit.and_then(|text| text.trim().parse::<i64>().ok());
        let memory = [total, limit].into_iter().flatten().min().unwrap_or(0);
        Machine { cpus: u32::try_from(cpus).unwrap_or(u32::MAX), memory }
    }

    /// The capacity by processors.
    pub fn cpu_capacity(&self, options: &CapacityOptions) -> i64 {
        options.cpu_capacity.map_or(i64::from(self.cpus) * i64::from(options.forks_per_cpu), i64::from)
    }

    /// The capacity by memory.
    pub fn memory_capacity(&self, options: &CapacityOptions) -> i64 {
        let free = self.memory / (1024 * 1024) - RESERVED_MEMORY;
        let computed = (free / i64::from(options.fork_memory.max(1))).max(1);
        options.memory_capacity.map_or(computed, i64::from)
    }
}

/// The total memory in bytes, from the text of `/proc/meminfo`.
fn memory_total(text: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The capacity between that by memory and that by processors: an adjustment of 0 is the smaller one, 100 the larger one.
pub fn adjusted_capacity(cpu_capacity: i64, memory_capacity: i64, hundredths: i64) -> i64 {
    let (low, high) = (cpu_capacity.min(memory_capacity), cpu_capacity.max(memory_capacity));
    low.saturating_add((high - low).saturating_mul(hundredths.max(0)) / 100)
}

/// A node as the dispatcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub id: i64,
    pub hostname: String,
    pub capacity: i64,
    /// How much of it the jobs take that were given to the node.
    pub used: i64,
    /// The number of these jobs.
    pub jobs: i64,
    /// Whether it takes new jobs.
    pub usable: bool,
}

/// An instance group as the dispatcher sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// The ids of its nodes.
    pub nodes: Vec<i64>,
    /// The limits; 0 is none.
    pub max_jobs: i64,
    pub max_forks: i64,
    /// What runs in it.
    pub jobs: i64,
    pub forks: i64,
    /// Whether its jobs run in containers of a cluster, which this server cannot do.
    pub is_container_group: bool,
}

/// The nodes and groups, with what they run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nodes {
    pub nodes: Vec<Node>,
    pub groups: HashMap<i64, Group>,
}

/// Where a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub group: i64,
    /// The hostname.
    pub node: String,
}

impl Nodes {
    /// The place for a job with these needs: the first group whose limits allow it and that has a node with room, and in
    /// it the node with the most room. An idle node takes a job that is larger than its capacity, since no other would.
    pub(crate) fn place(&self, needs: &Needs) -> Option<Place> {
        needs.groups.iter().find_map(|id| {
            let group = self.groups.get(id)?;
            let has_room = (group.max_jobs == 0 || group.jobs < group.max_jobs)
                && (group.max_forks == 0 || group.forks + needs.impact <= group.max_forks);
            if group.is_container_group || !has_room {
                return None;
            }
            let impact = needs.impact + CONTROL_IMPACT;
            let nodes = self.nodes.iter().filter(|node| node.usable && group.nodes.contains(&node.id));
            let best = nodes.max_by_key(|node| (node.capacity - node.used, std::cmp::Reverse(node.id)))?;
            let fits = best.capacity - best.used >= impact;
            let idle = || {
                let idle = self.nodes.iter().filter(|node| node.usable && group.nodes.contains(&node.id));
                idle.filter(|node| node.jobs == 0 && node.capacity > 0).max_by_key(|node| node.capacity)
            };
            let node = if fits { Some(best) } else { idle() }?;
            Some(Place { group: *id, node: node.hostname.clone() })
        })
    }

    /// Notes that a job with these needs has been given to this place.
    pub(crate) fn take(&mut self, place: &Place, needs: &Needs) {
        if let Some(group) = self.groups.get_mut(&place.group) {
            group.jobs += 1;
            group.forks += needs.impact;
        }
        if let Some(node) = self.nodes.iter_mut().find(|node| node.hostname == place.node) {
            node.used += needs.impact + CONTROL_IMPACT;
            node.jobs += 1;
        }
    }

    /// Why a job with these needs does not start now, for people.
    pub(crate) fn explain(&self, needs: &Needs) -> &'static str {
        let groups: Vec<&Group> = needs.groups.iter().filter_map(|id| self.groups.get(id)).collect();
        if !groups.is_empty() && groups.iter().all(|group| group.is_container_group) {
            return "This job cannot start because all of its instance groups are container groups, which are not supported.";
        }
        let has_nodes = |group: &&Group| {
            self.nodes.iter().any(|node| node.usable && node.capacity > 0 && group.nodes.contains(&node.id))
        };
        if !groups.iter().any(has_nodes) {
            return "This job is not ready to start because no instance of its instance groups is available.";
        }
        NO_CAPACITY
    }
}

/// Why most jobs wait that are not blocked by others.
pub(crate) const NO_CAPACITY: &str = "This job is not ready to start because there is not enough available capacity.";

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: i64, capacity: i64) -> Node {
        Node { id, hostname: format!("n{id}"), capacity, used: 0, jobs: 0, usable: true }
    }

    fn nodes() -> Nodes {
        let group = |nodes: &[i64]| Group { nodes: nodes.to_vec(), ..Group::default() };
        Nodes {
            nodes: vec![node(1, 20), node(2, 30), node(3, 5)],
            groups: HashMap::from([(10, group(&[1, 2])), (20, group(&[3])), (30, group(&[]))]),
        }
    }

    fn needs(impact: i64, groups: &[i64]) -> Needs {
        Needs { impact, groups: groups.to_vec() }
    }

    fn place(nodes: &Nodes, needs: &Needs) -> Option<String> {
        nodes.place(needs).map(|place| format!("{} {}", place.group, place.node))
    }

    #[test]
    fn capacity_is_that_of_awx() {
        let machine = Machine { cpus: 2, memory: 25_276_510_208 };
        let mut options = CapacityOptions::default();
        assert_eq!((machine.cpu_capacity(&options), machine.memory_capacity(&options)), (8, 220));
        assert_eq!(adjusted_capacity(8, 220, 100), 220);
        assert_eq!(adjusted_capacity(8, 220, 0), 8);
        assert_eq!(adjusted_capacity(8, 220, 50), 114);
        assert_eq!(adjusted_capacity(8, 220, -100), 8);
        assert_eq!(Machine { cpus: 1, memory: 0 }.memory_capacity(&options), 1);
        options.cpu_capacity = Some(50);
        options.memory_capacity = Some(70);
        assert_eq!((machine.cpu_capacity(&options), machine.memory_capacity(&options)), (50, 70));
        assert_eq!(memory_total("MemFree: 1 kB\nMemTotal:        2048 kB\n"), Some(2_097_152));
        assert_eq!(memory_total("MemTotal: much"), None);
    }

    #[test]
    fn first_group_with_room_and_its_freest_node_take_a_job() {
        let mut nodes = nodes();
        let small = needs(5, &[10, 20]);
        assert_eq!(place(&nodes, &small).as_deref(), Some("10 n2"));
        nodes.nodes[1].used = 25;
        nodes.nodes[1].jobs = 4;
        assert_eq!(place(&nodes, &small).as_deref(), Some("10 n1"));
        nodes.nodes[0].used = 15;
        nodes.nodes[0].jobs = 3;
        // 5 and 1 to control it are more than what is left, but the only node of the other group is idle.
        assert_eq!(place(&nodes, &small).as_deref(), Some("20 n3"));
        assert_eq!(place(&nodes, &needs(4, &[10])).as_deref(), Some("10 n1"));
        nodes.nodes[2].usable = false;
        assert_eq!(place(&nodes, &small), None);
        assert_eq!(nodes.explain(&small), NO_CAPACITY);
    }

    #[test]
    fn idle_node_takes_a_job_of_any_size() {
        let mut nodes = nodes();
        let huge = needs(1000, &[10]);
        let found = nodes.place(&huge).unwrap();
        assert_eq!(found.node, "n2");
        nodes.take(&found, &huge);
        let found = nodes.place(&huge).unwrap();
        assert_eq!(found.node, "n1");
        nodes.take(&found, &huge);
        assert_eq!(nodes.place(&huge), None);
    }

    #[test]
    fn limits_of_groups_apply() {
        let mut nodes = nodes();
        let small = needs(1, &[10, 20]);
        nodes.groups.get_mut(&10).unwrap().max_jobs = 1;
        let found = nodes.place(&small).unwrap();
        nodes.take(&found, &small);
        assert_eq!(found.group, 10);
        assert_eq!(nodes.place(&small).unwrap().group, 20);
        let forks = nodes.groups.get_mut(&10).unwrap();
        (forks.max_jobs, forks.max_forks) = (0, 4);
        assert_eq!(nodes.place(&needs(3, &[10])).unwrap().group, 10);
        assert_eq!(nodes.place(&needs(4, &[10])), None);
    }

    #[test]
    fn groups_that_can_run_nothing_are_explained() {
        let mut nodes = nodes();
        assert!(nodes.explain(&needs(1, &[30, 99])).contains("no instance"));
        nodes.groups.get_mut(&20).unwrap().is_container_group = true;
        assert_eq!(nodes.place(&needs(1, &[20])), None);
        assert!(nodes.explain(&needs(1, &[20])).contains("container groups"));
    }
}
