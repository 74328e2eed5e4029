//! The root file system of a container image: the binary, its shared libraries, and little else.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::{licences, output};

/// The user id of the process; the same as `USER` in the Containerfile.
const USER: u64 = 65532;
/// Certificate authorities for LDAP over TLS.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Writes the archive into a folder and returns the file.
pub fn build(binary: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to)?;
    let file = to.join("hostler-rootfs.tar");
    let mut archive = Builder::new(File::create(&file).with_context(|| format!("cannot write {}", file.display()))?);

    for folder in ["etc", "etc/ssl", "etc/ssl/certs", "run", "usr", "usr/bin", "usr/share", "usr/share/doc", "var"] {
        make_folder(&mut archive, folder, 0, 0o755)?;
    }
    make_folder(&mut archive, "var/lib", 0, 0o755)?;
    make_folder(&mut archive, "tmp", 0, 0o1777)?;
    make_folder(&mut archive, "var/lib/hostler", USER, 0o700)?;
    make_folder(&mut archive, "run/hostler", USER, 0o755)?;

    let stripped = TempDir::new()?;
    let program = stripped.path().join("hostler");
    output(Command::new("strip").arg("--strip-unneeded").arg("-o").arg(&program).arg(binary))?;
    write(&mut archive, "usr/bin/hostler", 0o755, &fs::read(program)?)?;
    for library in libraries(binary)? {
        let bytes = fs::read(&library).with_context(|| format!("cannot read {library}"))?;
        write(&mut archive, library.trim_start_matches('/'), 0o755, &bytes)?;
    }
    let passwd = format!("root:x:0:0::/:/sbin/nologin\nhostler:x:{USER}:{USER}::/var/lib/hostler:/sbin/nologin\n");
    write(&mut archive, "etc/passwd", 0o644, passwd.as_bytes())?;
    write(&mut archive, "etc/group", 0o644, format!("root:x:0:\nhostler:x:{USER}:\n").as_bytes())?;
    write(&mut archive, "usr/share/doc/hostler/third-party.txt", 0o644, licences::third_party()?.as_bytes())?;
    let authorities = fs::read(AUTHORITIES).with_context(|| format!("cannot read {AUTHORITIES}"))?;
    write(&mut archive, AUTHORITIES.trim_start_matches('/'), 0o644, &authorities)?;
    archive.into_inner()?.sync_all()?;
    Ok(file)
}

/// The shared libraries of the binary, including the loader.
fn libraries(binary: &Path) -> Result<Vec<String>> {
    let text = output(Command::new("ldd").arg(binary))?;
    let libraries: Vec<String> = text.lines().filter_map(library).map(str::to_owned).collect();
    ensure!(!libraries.is_empty(), "ldd names no library of {}: {text}", binary.display());
    Ok(libraries)
}

/// The path in a line such as `libm.so.6 => /lib/libm.so.6 (0x0)` or `/lib64/ld.so (0x0)`; none for the kernel's vDSO.
fn library(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| word.starts_with('/'))
}

fn make_folder(archive: &mut Builder<File>, path: &str, owner: u64, mode: u32) -> Result<()> {
    append(archive, &format!("{path}/"), EntryType::Directory, owner, mode, &[])
}

fn write(archive: &mut Builder<File>, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    append(archive, path, EntryType::Regular, 0, mode, bytes)
}

fn append(archive: &mut Builder<File>, path: &str, kind: EntryType, owner: u64, mode: u32, bytes: &[u8]) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes).with_context(|| format!("cannot pack {path}"))
}

#[cfg(test)]
mod tests {
    use super::library;

    #[test]
    fn ldd_output_is_parsed() {
        for (line, expected) in [
            ("\tlinux-vdso.so.1 (0x00007fb92b217000)", None),
            ("\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x0)", Some("/lib/x86_64-linux-gnu/libm.so.6")),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x0)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tstatically linked", None),
        ] {
            assert_eq!(library(line), expected);
        }
    }
}
