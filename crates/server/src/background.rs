//! The background tasks of a server, and its jobs.

use std::sync::Arc;

use hostler_auth::{DeleteExpiredSessions, DeleteExpiredTokens};
use hostler_engine::DeleteInSteps;
use hostler_queue::Dispatcher;
use hostler_tasks::{Worker, WorkerOptions};
use jiff::SignedDuration;

use crate::live::DeleteOldNotices;
use crate::state::App;

/// The time between two deletions of expired rows.
const CLEANUP_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// The worker of this server, with all tasks.
pub(crate) fn worker(app: &App) -> Worker {
    let (engine, counters) = (app.engine(), Arc::clone(&app.counters));
    let clock = Arc::clone(&engine.clock);
    let now = Arc::new(move || clock.now());
    Worker::new(engine.database.clone(), engine.tasks.clone(), now, WorkerOptions::default())
        .with_report(move |task, result| counters.count_task(task, result))
        .with_task::<DeleteInSteps>(engine.clone())
        .with_periodic_task(&DeleteExpiredSessions {}, CLEANUP_INTERVAL, engine.clone())
        .with_periodic_task(&DeleteExpiredTokens {}, CLEANUP_INTERVAL, engine.clone())
        .with_periodic_task(&DeleteOldNotices {}, CLEANUP_INTERVAL, engine.clone())
}

/// The dispatcher of this server; none if it does not run jobs.
pub(crate) fn dispatcher(app: &App) -> Option<Dispatcher> {
    let (executor, options) = app.executor.as_ref()?;
    let (engine, counters) = (app.engine(), Arc::clone(&app.counters));
    let clock = Arc::clone(&engine.clock);
    let now = Arc::new(move || clock.now());
    let (database, node) = (engine.database.clone(), Arc::clone(&engine.node));
    let dispatcher = Dispatcher::new(database, engine.jobs.clone(), now, node, Arc::clone(executor), *options);
    Some(dispatcher.with_report(move |event| counters.count_job(event)))
}
