//! What the user of a socket may see.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hostler_engine::Engine;
use hostler_resources::UNIFIED_JOB;
use hostler_schema::{Actor, Resource};
use hostler_websocket::{EventKind, Reader, Subject, Unavailable};
use tokio::sync::Semaphore;

use super::{Live, lock};

/// How long an answer of the database is used.
const VALID: Duration = Duration::from_secs(10);
/// With more answers than this, the old ones are dropped.
const MANY: usize = 5000;
/// The objects that are looked for by one statement.
const AT_ONCE: usize = 500;

/// A user; all sockets of the user share it, so that each question is asked once.
pub(super) struct UserReader {
    engine: Engine,
    pub actor: Actor,
    known: Mutex<HashMap<Subject, (bool, Instant)>>,
    /// One question at a time: those who wait find its answer.
    asking: Semaphore,
}

impl UserReader {
    fn new(engine: &Engine, actor: Actor) -> Self {
        UserReader { engine: engine.clone(), actor, known: Mutex::default(), asking: Semaphore::new(1) }
    }

    /// The valid answers to these questions, and the questions without one.
    fn answers(&self, subjects: &[Subject]) -> (HashSet<Subject>, Vec<Subject>) {
        let known = lock(&self.known);
        let (mut visible, mut unknown) = (HashSet::new(), vec![]);
        for subject in subjects {
            match known.get(subject).filter(|(_, asked)| asked.elapsed() < VALID) {
                Some((true, _)) => {
                    visible.insert(*subject);
                }
                Some((false, _)) => {}
                None => unknown.push(*subject),
            }
        }
        (visible, unknown)
    }

    async fn ask(&self, subjects: &[Subject]) -> Result<(), hostler_engine::Error> {
        let now = Instant::now();
        let mut of_resources: Vec<(Option<&'static Resource>, Vec<Subject>)> = vec![];
        for subject in subjects {
            let resource = self.resource(*subject);
            match of_resources.iter_mut().find(|(known, _)| *known == resource) {
                Some((_, subjects)) => subjects.push(*subject),
                None => of_resources.push((resource, vec![*subject])),
            }
        }
        for (resource, subjects) in of_resources {
            for subjects in subjects.chunks(AT_ONCE) {
                let ids: Vec<i64> = subjects.iter().copied().map(id).collect();
                let visible: HashSet<i64> = match resource {
                    Some(resource) => self.engine.visible_ids(&self.actor, resource, &ids).await?.into_iter().collect(),
                    None => HashSet::new(),
                };
                let mut known = lock(&self.known);
                if known.len() > MANY {
                    known.retain(|_, (_, asked)| asked.elapsed() < VALID);
                }
                known.extend(subjects.iter().map(|subject| (*subject, (visible.contains(&id(*subject)), now))));
            }
        }
        Ok(())
    }

    /// None for a type that this version does not have.
    fn resource(&self, subject: Subject) -> Option<&'static Resource> {
        let name = match subject {
            Subject::Job(kind, _) => EventKind::job_type(kind),
            Subject::WorkflowJob(_) => "workflow_job",
            Subject::UnifiedJob(_) => return Some(&UNIFIED_JOB),
        };
        self.engine.registry.by_name(name).map(|found| found.resource)
    }
}

fn id(subject: Subject) -> i64 {
    match subject {
        Subject::Job(_, id) | Subject::UnifiedJob(id) | Subject::WorkflowJob(id) => id,
    }
}

#[async_trait]
impl Reader for UserReader {
    fn sees_all(&self) -> bool {
        self.actor.is_superuser || self.actor.is_system_auditor
    }

    async fn visible(&self, subjects: &[Subject]) -> Result<HashSet<Subject>, Unavailable> {
        let (visible, unknown) = self.answers(subjects);
        if unknown.is_empty() {
            return Ok(visible);
        }
        let Ok(_permit) = self.asking.acquire().await else { return Err(Unavailable) };
        // Another socket may have asked meanwhile.
        let (_, unknown) = self.answers(&unknown);
        if let Err(error) = self.ask(&unknown).await {
            tracing::warn!(?error, "what a socket may see could not be read");
            return Err(Unavailable);
        }
        Ok(self.answers(subjects).0)
    }
}

impl Live {
    /// What the sockets of this user share.
    pub(super) fn reader(&self, engine: &Engine, actor: Actor) -> Arc<UserReader> {
        let mut readers = lock(&self.readers);
        if let Some(known) = readers.get(&actor.id).and_then(std::sync::Weak::upgrade)
            && sees_the_same(&known.actor, &actor)
        {
            return known;
        }
        readers.retain(|_, reader| reader.strong_count() > 0);
        let reader = Arc::new(UserReader::new(engine, actor));
        readers.insert(reader.actor.id, Arc::downgrade(&reader));
        reader
    }
}

/// Whether rules that read the actor, not the database, have the same answer.
pub(super) fn sees_the_same(one: &Actor, other: &Actor) -> bool {
    let rights =
        |actor: &Actor| (actor.is_superuser, actor.is_system_auditor, actor.is_organization_admin, actor.policy);
    rights(one) == rights(other)
}
