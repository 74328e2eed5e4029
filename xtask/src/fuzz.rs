//! Runs the fuzz targets.
//!
//! The targets are those of `fuzz/`, which cargo-fuzz runs as well. It needs a nightly compiler for the sanitizers of
//! unsafe code. There is no unsafe code in the tested code, so the stable compiler is enough, with the same
//! instrumentation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::cargo;
use anyhow::{Context as _, Result, bail, ensure};

/// The instrumentation with which libFuzzer sees the coverage of an input.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// An input that takes longer, in seconds, is a finding.
const LONGEST: u32 = 10;
/// An input that takes more memory, in MiB, is a finding.
const LARGEST: u32 = 1024;

/// How long to run.
enum Until {
    /// For this number of seconds, with a random seed.
    Seconds(u32),
    /// For this number of inputs, which are the same in each run.
    Inputs(u32),
}

/// The options of `fuzz`.
struct Options {
    until: Until,
    targets: Vec<String>,
}

impl Options {
    fn parse(flags: &[String]) -> Result<Options> {
        let mut options = Options { until: Until::Seconds(60), targets: vec![] };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let mut number = || {
                let number = flags.next().and_then(|value| value.parse().ok());
                number.with_context(|| format!("{flag} takes a number"))
            };
            match flag.as_str() {
                "--seconds" => options.until = Until::Seconds(number()?),
                "--inputs" => options.until = Until::Inputs(number()?),
                flag if flag.starts_with('-') => bail!("fuzz has no option {flag}: see cargo xtask help"),
                target => options.targets.push(target.to_owned()),
            }
        }
        Ok(options)
    }
}

/// Builds the targets and runs each.
pub fn run(flags: &[String]) -> Result<()> {
    let options = Options::parse(flags)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a folder around it")?;
    let folder = root.join("fuzz");
    let known = targets(&folder)?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        bail!("unknown target {unknown}; the targets are {}", known.join(", "));
    }
    let built = root.join("target/fuzz");
    build(&folder, &built)?;
    let mut broken = vec![];
    for name in known.iter().filter(|name| options.targets.is_empty() || options.targets.contains(name)) {
        println!("\n=== {name}");
        if !fuzz(&folder, &built, name, &options.until)? {
            broken.push(name.as_str());
        }
    }
    ensure!(broken.is_empty(), "failed with the inputs in {}/artifacts: {}", folder.display(), broken.join(", "));
    Ok(())
}

/// The names of all targets.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let files = fs::read_dir(folder.join("fuzz_targets")).context("fuzz/fuzz_targets")?;
    let mut names = files
        .map(|file| Ok(file?.path().file_stem().context("a target has a name")?.to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The target triple of the compiler, which is set so that build scripts are not instrumented.
fn machine() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc does not run")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc prints no host")?.to_owned())
}

fn build(folder: &Path, built: &Path) -> Result<()> {
    let status = cargo()
        .args(["build", "--target", &machine()?, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(built)
        .env("RUSTFLAGS", INSTRUMENTED)
        .status()
        .context("cargo does not run")?;
    ensure!(status.success(), "the targets cannot be built");
    Ok(())
}

/// Runs a target; returns whether it passed.
fn fuzz(folder: &Path, built: &Path, name: &str, until: &Until) -> Result<bool> {
    let artifacts = folder.join("artifacts").join(name);
    let passing = tempfile::tempdir()?;
    // New corpus inputs go into the build folder, unless they would change the next run.
    let (limits, found) = match until {
        Until::Seconds(seconds) => (vec![format!("-max_total_time={seconds}")], built.join("corpus").join(name)),
        Until::Inputs(inputs) => (vec![format!("-runs={inputs}"), "-seed=1".to_owned()], passing.path().to_owned()),
    };
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&artifacts)?;
    let program: PathBuf = built.join(machine()?).join("debug").join(name);
    let mut command = Command::new(&program);
    command
        .args(limits)
        .args([
            format!("-timeout={LONGEST}"),
            format!("-rss_limit_mb={LARGEST}"),
            format!("-artifact_prefix={}/", artifacts.display()),
            "-print_final_stats=1".to_owned(),
            "-verbosity=0".to_owned(),
        ])
        // libFuzzer writes to the first folder.
        .arg(found);
    let seeds = folder.join("corpus").join(name);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let words = folder.join("words").join(format!("{name}.dict"));
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    Ok(command.status().with_context(|| format!("{} does not run", program.display()))?.success())
}
