//! Projects: git repositories as immutable checkouts, and manual folders.
//!
//! A project has a bare mirror for each repository that it consists of, and one checkout per commit, which is read-only
//! and shared by all jobs that run it. This crate knows no database and no API: the server calls it from project updates
//! and job starts.
//!
//! ```no_run
//! # use hostler_projects::{ProjectOptions, Projects, GitSource, FetchMode};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let projects = Projects::open("/var/lib/hostler/projects".into(), ProjectOptions::default()).await?;
//! let source = GitSource::new("https://example.org/playbooks.git", false)?.branch("main")?;
//! let commit = projects.update(7, &source, FetchMode::Changes, &|line| println!("{line}")).await?;
//! let checkout = projects.checkout(7, &source, &commit, "job-17", &|_| {}).await?;
//! // … run the job with the files in `checkout.path` …
//! projects.release(7, "job-17").await?;
//! projects.remove_unused(7, &[&commit]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Files of a checkout never change, so the field `scm_clean` has no effect: each job starts with unchanged files.
//!
//! # What a server that is killed leaves behind
//!
//! Mirrors and checkouts get their names only when they are complete. Locks are held by open files, which programs
//! inherit: a lock is free when the server and its programs have ended. The
//! next holder of a lock removes all incomplete files below it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod checkout;
mod environment;
mod error;
mod folder;
mod git_url;
mod listing;
mod lock;
mod manual;
mod mask;
mod mirror;
mod new_repository;
mod options;
mod paths;
mod plan;
mod process;
mod projects;
mod repository;
mod requirements;
mod secrets_dir;
mod source;

pub use checkout::Checkout;
pub use error::Error;
pub use listing::{inventory_files, playbooks};
pub use manual::{manual_folder, manual_folders};
pub use options::{HostKeys, ProjectOptions, Proxy, Tls};
pub use paths::{InvalidPath, inventory_source, playbook};
pub use process::OnLine;
pub use projects::{FetchMode, Projects};
pub use requirements::{AnsibleGalaxy, GalaxyServer, Requirements};
pub use source::{GitCredential, GitSource, InvalidField};
