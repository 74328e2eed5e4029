//! Running a program: with a time limit, its output line by line, and an end of all its processes.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::error::Error;
use crate::mask::Mask;

/// Receives each line that a program prints for people, without secrets.
pub type OnLine<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What a program reads.
pub(crate) enum Input {
    /// Nothing. The open file is inherited, so that its lock lasts until the program has ended.
    Lock(std::fs::File),
    Nothing,
    Text(String),
}

/// The most that a program may print: a listing of the files of a large repository fits.
const MAX_STDOUT: u64 = 256 << 20;
/// The most lines of error output that are passed on.
const MAX_LINES: usize = 2000;
/// Longer lines are split.
const MAX_LINE: usize = 8 << 10;

pub(crate) struct Finished {
    pub success: bool,
    pub stdout: Vec<u8>,
    /// The error output without secrets.
    pub stderr: String,
}

/// Kills the program with all processes that it started, when the operation is cancelled or fails.
struct ProcessGroup(Child);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // No id: the program has ended, and its id may belong to another one.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id
            && let Err(error) = kill_process_group(id, Signal::KILL)
        {
            tracing::debug!(%error, "a program had ended before it was killed");
        }
    }
}

/// Runs a program to its end. Dropping the future kills it.
pub(crate) async fn run(
    mut command: Command,
    input: Input,
    limit: Duration,
    mask: &Mask,
    on_line: OnLine<'_>,
) -> Result<Finished, Error> {
    let path = command.as_std().get_program().to_owned();
    let program = std::path::Path::new(&path).file_name().unwrap_or(&path).to_string_lossy().into_owned();
    let (stdin, text) = match input {
        Input::Lock(file) => (Stdio::from(file), None),
        Input::Nothing => (Stdio::null(), None),
        Input::Text(text) => (Stdio::piped(), Some(text)),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::ProgramMissing(program.clone()),
        _ => Error::Io { doing: "run", path: path.into(), source: error },
    })?;
    let mut group = ProcessGroup(child);
    let stdin = group.0.stdin.take();
    let stdout = group.0.stdout.take();
    let stderr = group.0.stderr.take();
    let write = async {
        if let (Some(mut stdin), Some(text)) = (stdin, text) {
            // A program that ends before it has read everything reports why by its exit code.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    };
    let read = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_STDOUT).read_to_end(&mut bytes).await?;
        }
        Ok::<_, std::io::Error>(bytes)
    };
    let work = async {
        let ((), stdout, stderr) = tokio::join!(write, read, read_lines(stderr, mask, on_line));
        // Reaped last: until then the group is killed if another process of it keeps the output open.
        (stdout, stderr, group.0.wait().await)
    };
    let Ok((stdout, stderr, status)) = tokio::time::timeout(limit, work).await else {
        return Err(Error::Timeout { program, seconds: limit.as_secs() });
    };
    let failed = |error: std::io::Error| Error::Failed { program: program.clone(), detail: error.to_string() };
    let finished = Finished {
        success: status.map_err(failed)?.success(),
        stdout: stdout.map_err(failed)?,
        stderr: stderr.map_err(failed)?,
    };
    Ok(finished)
}

/// Reads error output line by line. Lines also end with a carriage return, as in progress reports.
async fn read_lines(
    source: Option<impl AsyncRead + Unpin>,
    mask: &Mask,
    on_line: OnLine<'_>,
) -> Result<String, std::io::Error> {
    let mut text = String::new();
    let Some(mut source) = source else { return Ok(text) };
    let (mut pending, mut lines, mut buffer) = (Vec::new(), 0, vec![0; 16 << 10]);
    let mut emit = |line: &[u8]| {
        let line = mask.line(String::from_utf8_lossy(line).trim_end());
        if !line.is_empty() && lines < MAX_LINES {
            lines += 1;
            on_line(&line);
            text.push_str(&line);
            text.push('\n');
        }
    };
    loop {
        let length = source.read(&mut buffer).await?;
        for byte in buffer.get(..length).unwrap_or_default() {
            if matches!(byte, b'\n' | b'\r') || pending.len() >= MAX_LINE {
                emit(&pending);
                pending.clear();
            }
            if !matches!(byte, b'\n' | b'\r') {
                pending.push(*byte);
            }
        }
        if length == 0 {
            emit(&pending);
            break;
        }
    }
    Ok(text)
}
