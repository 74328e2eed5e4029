//! The output of `ansible-inventory --list --export`, read as a stream.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The largest output that is read, in bytes.
pub const LARGEST_OUTPUT: u64 = 256 << 20;

/// What `ansible-inventory` says of a group.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OutputGroup {
    /// The names of the hosts that are directly in it.
    pub hosts: Vec<String>,
    /// The names of the groups in it.
    pub children: Vec<String>,
    /// Its variables.
    pub vars: Map<String, Value>,
}

/// The document: groups by name, and the variables of hosts.
#[derive(Debug, Default)]
pub struct Output {
    /// The groups.
    pub groups: BTreeMap<String, OutputGroup>,
    /// The variables of the hosts.
    pub hosts: HashMap<String, Map<String, Value>>,
}

/// Why the output cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The program wrote none.
    #[error("ansible-inventory has written no inventory.")]
    Missing,
    /// The file cannot be read.
    #[error("The output of ansible-inventory cannot be read: {0}.")]
    File(std::io::Error),
    /// It has more bytes than allowed.
    #[error("The output of ansible-inventory is larger than {} MiB, the limit.", LARGEST_OUTPUT >> 20)]
    TooLarge,
    /// It is no JSON, or has another form.
    #[error("The output of ansible-inventory is no inventory in JSON: {0}.")]
    Content(serde_json::Error),
}

/// Reads the output in this file.
///
/// # Errors
/// Why it cannot be used.
pub fn read_output(path: &Path) -> Result<Output, OutputError> {
    // The program could leave a pipe, for which opening would wait, or a link to a file that it must not read.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = match rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(std::io::Error::from) {
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Err(OutputError::Missing),
        file => file.map_err(OutputError::File)?,
    };
    let metadata = file.metadata().map_err(OutputError::File)?;
    if !metadata.is_file() {
        return Err(OutputError::Missing);
    }
    if metadata.len() > LARGEST_OUTPUT {
        return Err(OutputError::TooLarge);
    }
    parse(BufReader::with_capacity(1 << 16, file.take(LARGEST_OUTPUT)))
}

fn parse(reader: impl Read) -> Result<Output, OutputError> {
    serde_json::from_reader(reader).map_err(OutputError::Content)
}

/// The variables of hosts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    hostvars: HashMap<String, Map<String, Value>>,
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Document;

        impl<'de> Visitor<'de> for Document {
            type Value = Output;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with groups")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Output, A::Error> {
                let mut output = Output::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "_meta" {
                        output.hosts = map.next_value::<Meta>()?.hostvars;
                    } else {
                        output.groups.insert(name, map.next_value()?);
                    }
                }
                Ok(output)
            }
        }

        deserializer.deserialize_map(Document)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::OpenOptions;

    use super::*;

    pub(crate) fn output(text: &str) -> Output {
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn document_is_read() {
        let text = r#"{"_meta": {"hostvars": {"a": {"x": 1}}, "profile": "inventory_legacy"},
            "all": {"children": ["ungrouped", "web"]}, "web": {"hosts": ["a", "b"], "vars": {"y": [1]}}}"#;
        let output = output(text);
        assert_eq!(output.hosts["a"]["x"], 1);
        assert_eq!(output.groups["web"].hosts, ["a", "b"]);
        assert_eq!(output.groups["all"].children, ["ungrouped", "web"]);
    }

    #[test]
    fn other_documents_are_errors() {
        for text in [
            "",
            "{",
            "[]",
            "{\"web\": [1]}",
            "{\"web\": {\"vars\": [1]}}",
            "{\"web\": {\"hosts\": [1]}}",
            "{\"_meta\": {\"hostvars\": {\"a\": \"x\"}}}",
            "{\"_meta\": {\"hostvars\": []}}",
            "{} {}",
        ] {
            let problem = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(problem, OutputError::Content(_)), "{text}: {problem}");
        }
        // Deep nesting must not end the process.
        let deep = format!("{{\"web\": {{\"vars\": {{\"x\": {}", "[".repeat(1_000_000));
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn pipes_and_links_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        assert!(matches!(read_output(&pipe), Err(OutputError::Missing)));
        std::fs::write(folder.path().join("file"), "{}").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert!(matches!(read_output(&link), Err(OutputError::File(_))));
    }

    #[test]
    fn large_files_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output.json");
        assert!(matches!(read_output(&path), Err(OutputError::Missing)));
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).unwrap();
        file.set_len(LARGEST_OUTPUT + 1).unwrap();
        assert!(matches!(read_output(&path), Err(OutputError::TooLarge)));
        assert!(matches!(read_output(folder.path()), Err(OutputError::Missing)));
    }
}
