//! The Debian package: a folder with all files, packed by `dpkg-deb`.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::{hostler, licences, output, root};

/// Packs a binary into a folder and returns the file; `compression` is one of `dpkg-deb -Z`.
pub fn build(binary: &Path, to: &Path, compression: &str) -> Result<PathBuf> {
    let packaging = root()?.join("packaging");
    let debian = packaging.join("debian");
    let staging = TempDir::new()?;
    let stage = Stage { root: staging.path() };
    fs::set_permissions(staging.path(), Permissions::from_mode(0o755))?;

    stage.copy("usr/bin/hostler", 0o755, binary)?;
    output(Command::new("strip").arg("--strip-unneeded").arg(staging.path().join("usr/bin/hostler")))?;
    for unit in ["hostler.service", "hostler.socket"] {
        stage.copy(&format!("usr/lib/systemd/system/{unit}"), 0o644, &packaging.join("systemd").join(unit))?;
    }
    stage.copy("etc/hostler/hostler.toml", 0o644, &packaging.join("hostler.toml"))?;
    for (shell, path) in [
        ("bash", "usr/share/bash-completion/completions/hostler"),
        ("zsh", "usr/share/zsh/vendor-completions/_hostler"),
        ("fish", "usr/share/fish/vendor_completions.d/hostler.fish"),
    ] {
        stage.write(path, &output(hostler(binary).args(["completions", shell]))?)?;
    }
    let pages = TempDir::new()?;
    output(hostler(binary).args(["manual", "--to"]).arg(pages.path()))?;
    for page in fs::read_dir(pages.path())? {
        let page = page?;
        let name = page.file_name();
        stage.write_packed(&format!("usr/share/man/man1/{}", name.display()), &fs::read_to_string(page.path())?)?;
    }

    let version = env!("CARGO_PKG_VERSION");
    let control = fs::read_to_string(debian.join("control"))?;
    let documents = "usr/share/doc/hostler";
    stage.copy(&format!("{documents}/copyright"), 0o644, &debian.join("copyright"))?;
    stage.write_packed(&format!("{documents}/third-party.txt"), &licences::third_party()?)?;
    stage.write_packed(&format!("{documents}/changelog"), &changelog(version, &control)?)?;
    stage.copy(&format!("{documents}/CHANGELOG.md"), 0o644, &root()?.join("CHANGELOG.md"))?;

    stage.copy("usr/share/lintian/overrides/hostler", 0o644, &debian.join("lintian-overrides"))?;
    for script in ["postinst", "prerm", "postrm"] {
        stage.copy(&format!("DEBIAN/{script}"), 0o755, &debian.join(script))?;
    }
    stage.write("DEBIAN/conffiles", "/etc/hostler/hostler.toml\n")?;
    let sums = "find usr -type f -print0 | sort --zero-terminated | xargs --null md5sum";
    stage.write("DEBIAN/md5sums", &output(&mut stage.shell(sums))?)?;
    let size = output(&mut stage.shell("du --summarize --apparent-size --block-size=1024 etc usr | cut --fields=1"))?;
    let size: u64 = size.split_whitespace().filter_map(|part| part.parse::<u64>().ok()).sum();
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let control = control
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", architecture)
        .replace("@DEPENDS@", &libraries(binary)?)
        .replace("@SIZE@", &size.to_string());
    stage.write("DEBIAN/control", &control)?;

    // Independent of the umask.
    output(&mut stage.shell("find . -type d -exec chmod 0755 {} +"))?;
    fs::create_dir_all(to)?;
    let package = to.join(format!("hostler_{version}_{architecture}.deb"));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", &format!("-Z{compression}"), "--build"]).arg(staging.path()).arg(&package);
    // Reproducible: the same sources give the same package.
    output(pack.env("SOURCE_DATE_EPOCH", committed("%ct")?))?;
    Ok(package)
}

/// The packages with the shared libraries of the binary.
fn libraries(binary: &Path) -> Result<String> {
    // dpkg-shlibdeps must run in the source tree of a Debian package.
    let sources = TempDir::new()?;
    fs::create_dir(sources.path().join("debian"))?;
    fs::write(sources.path().join("debian/control"), "Source: hostler\n\nPackage: hostler\nArchitecture: any\n")?;
    let mut command = Command::new("dpkg-shlibdeps");
    let text = output(command.arg("-O").arg(binary.canonicalize()?).current_dir(sources.path()))?;
    let depends = text.trim().strip_prefix("shlibs:Depends=");
    depends.map(str::to_owned).with_context(|| format!("dpkg-shlibdeps printed {text:?}"))
}

/// Debian requires a changelog in its format; the project's own is installed beside it.
fn changelog(version: &str, control: &str) -> Result<String> {
    let maintainer = control.lines().find_map(|line| line.strip_prefix("Maintainer: ")).context("a maintainer")?;
    let entry = "hostler (@VERSION@) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- @BY@\n";
    let date = committed("%cD")?;
    Ok(entry.replace("@VERSION@", version).replace("@BY@", &format!("{maintainer}  {date}")))
}

/// The date of the commit, in a format of git.
fn committed(format: &str) -> Result<String> {
    let mut git = Command::new("git");
    let text = output(git.args(["log", "-1", &format!("--format={format}")]).current_dir(root()?))?;
    Ok(text.trim().to_owned())
}

/// The folder with the files of the package.
struct Stage<'a> {
    root: &'a Path,
}

impl Stage<'_> {
    /// Creates the parent folders of a file, readable by all users.
    fn place(&self, path: &str) -> Result<PathBuf> {
        let file = self.root.join(path);
        DirBuilder::new().recursive(true).mode(0o755).create(file.parent().context("a folder")?)?;
        Ok(file)
    }

    fn copy(&self, path: &str, mode: u32, from: &Path) -> Result<()> {
        let file = self.place(path)?;
        fs::copy(from, &file).with_context(|| format!("cannot copy {}", from.display()))?;
        Ok(fs::set_permissions(&file, Permissions::from_mode(mode))?)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let file = self.place(path)?;
        fs::write(&file, text)?;
        Ok(fs::set_permissions(&file, Permissions::from_mode(0o644))?)
    }

    fn write_packed(&self, path: &str, text: &str) -> Result<()> {
        self.write(path, text)?;
        output(Command::new("gzip").args(["-9", "--no-name"]).arg(self.root.join(path)))?;
        Ok(())
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]).current_dir(self.root).env("LC_ALL", "C.UTF-8");
        command
    }
}
