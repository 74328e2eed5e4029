//! Git LFS, with a program that takes the place of git-lfs.

use std::fs;
use std::path::Path;

use hostler_projects::{Error, ProjectOptions};

use crate::fixture::{Fixture, Repository, script};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 4\n";

/// A git-lfs that fetches one file, and replaces each pointer by it.
const GIT_LFS: &str = r#"#!/usr/bin/env python3
import os, sys
store = os.path.join(os.environ["GIT_DIR"], "fetched")
def read():
    length = sys.stdin.buffer.read(4)
    if not length: sys.exit(0)
    length = int(length, 16)
    return sys.stdin.buffer.read(length - 4) if length else None
def read_all():
    lines = []
    while (line := read()) is not None: lines.append(line)
    return lines
def write(*lines):
    for line in lines:
        sys.stdout.buffer.write(b"0000" if line is None else b"%04x" % (len(line) + 4) + line)
    sys.stdout.buffer.flush()
if sys.argv[1] == "fetch":
    open(store, "w").write("real\n")
elif sys.argv[1] == "filter-process":
    read_all()
    write(b"git-filter-server\n", b"version=2\n", None)
    read_all()
    write(b"capability=smudge\n", None)
    while True:
        read_all(), read_all()
        write(b"status=success\n", None, open(store, "rb").read(), None, None)
"#;

fn repository(fixture: &Fixture) -> Repository {
    let repository = fixture.repository("a");
    repository.write("deep/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repository.write("deep/a.bin", POINTER);
    repository.write("a.bin", POINTER);
    repository.commit();
    repository
}

#[tokio::test]
async fn files_of_lfs_have_their_content() {
    let change = |options: &mut ProjectOptions, path: &Path| {
        let programs = path.join("programs");
        fs::create_dir(&programs).unwrap();
        let text = GIT_LFS.strip_prefix("#!/usr/bin/env python3\n").unwrap();
        fs::write(programs.join("program.py"), text).unwrap();
        script(&programs.join("git-lfs"), &format!("exec python3 '{}/program.py' \"$@\"", programs.display()));
        options.git = script(&path.join("git"), &format!("PATH='{}':$PATH exec git \"$@\"", programs.display()));
    };
    let fixture = Fixture::with(change).await;
    let repository = repository(&fixture);
    let files = fixture.files(&repository.source()).await;
    assert_eq!(fs::read_to_string(files.join("deep/a.bin")).unwrap(), "real\n");
    assert_eq!(fs::read_to_string(files.join("a.bin")).unwrap(), POINTER);
}

#[tokio::test]
async fn repository_with_lfs_needs_the_program() {
    let change = |options: &mut ProjectOptions, path: &Path| {
        let text = r#"case "$*" in *" lfs "*) exit 1 ;; esac; exec git "$@""#;
        options.git = script(&path.join("git"), text);
    };
    let fixture = Fixture::with(change).await;
    let repository = repository(&fixture);
    let error = fixture.update(&repository.source()).await.unwrap_err();
    assert!(matches!(error, Error::LfsMissing), "{error}");
}
