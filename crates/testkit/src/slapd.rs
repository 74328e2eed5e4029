//! An LDAP directory for one test: OpenLDAP's slapd on loopback, with its own data and certificates.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::skip::skip;

/// The administrator of the directory, who may read and write everything.
pub const MANAGER: &str = "cn=manager,dc=example,dc=org";
/// The password of [`MANAGER`].
pub const MANAGER_PASSWORD: &str = "the manager's password";
/// The bind DN of searches.
pub const READER: &str = "cn=reader,dc=example,dc=org";
/// The password of [`READER`].
pub const READER_PASSWORD: &str = "the reader's password";

const SLAPD: &str = "/usr/sbin/slapd";
const SLAPADD: &str = "/usr/sbin/slapadd";
const SCHEMAS: &str = "/etc/ldap/schema";
const MODIFY: &str = "/usr/bin/ldapmodify";
const PATIENCE: Duration = Duration::from_secs(30);

/// Users and groups. The password of each user is [`password_of`].
const DATA: &str = include_str!("slapd.ldif");

/// The password of a user in the directory.
pub fn password_of(uid: &str) -> String {
    format!("{uid} knows this")
}

/// A running directory; stopped, and its data removed, on drop.
#[derive(Debug)]
pub struct Slapd {
    // The first field, because fields are dropped in order: the process must end before its data are removed.
    process: Option<Running>,
    folder: TempDir,
    port: u16,
    tls_port: u16,
}

impl Slapd {
    /// Starts a directory; none if slapd is not installed, which is reported.
    pub fn start() -> Option<Self> {
        if let Some(missing) = [SLAPD, SLAPADD, SCHEMAS, MODIFY].iter().find(|path| !Path::new(path).exists()) {
            skip(&format!("there is no {missing}, which comes with the packages slapd and ldap-utils"));
            return None;
        }
        let folder = TempDir::with_prefix("hostler-slapd-").expect("a directory for slapd");
        make_certificates(folder.path());
        fs::create_dir(folder.path().join("data")).expect("a directory for slapd's data");
        fs::write(folder.path().join("slapd.conf"), configuration(folder.path())).expect("slapd.conf");
        let mut slapd = Self { process: None, folder, port: 0, tls_port: 0 };
        slapd.load();
        slapd.run();
        Some(slapd)
    }

    /// The URL without TLS, which supports StartTLS.
    pub fn uri(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// The URL with TLS.
    pub fn tls_uri(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// The certificate of the directory's issuer.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The certificate of another issuer, which does not verify the directory's.
    pub fn unrelated_ca_file(&self) -> PathBuf {
        self.folder.path().join("strange.pem")
    }

    /// Stops it.
    pub fn stop(&mut self) {
        self.process.take().expect("a running slapd");
    }

    /// Restarts it with the same ports and data.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "slapd runs already");
        self.process = Some(self.spawn());
        self.wait_until_ready().expect("slapd starts again");
    }

    /// Applies changes in LDIF.
    pub fn modify(&self, ldif: &str) {
        let mut child = Command::new(MODIFY)
            .args(["-x", "-H", &self.uri(), "-D", MANAGER, "-w", MANAGER_PASSWORD])
            .env("LDAPNOINIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("ldapmodify runs");
        child.stdin.take().expect("a pipe").write_all(ldif.as_bytes()).expect("ldapmodify reads");
        assert!(child.wait().expect("ldapmodify ends").success(), "slapd refused\n{ldif}");
    }

    /// Adds a user to a group, or removes it.
    pub fn change_member(&self, operation: &str, group: &str, uid: &str) {
        self.modify(&format!(
            "dn: cn={group},ou=groups,dc=example,dc=org\nchangetype: modify\n{operation}: member\n\
             member: uid={uid},ou=people,dc=example,dc=org\n"
        ));
    }

    fn load(&self) {
        let file = self.folder.path().join("data.ldif");
        let mut ldif = String::new();
        for line in DATA.lines() {
            ldif.push_str(line);
            ldif.push('\n');
            // One password rule for all users.
            if let Some(uid) = line.strip_prefix("uid: ") {
                ldif.push_str(&format!("userPassword: {}\n", password_of(uid)));
            }
        }
        fs::write(&file, ldif).expect("data.ldif");
        let output = Command::new(SLAPADD)
            .arg("-f")
            .arg(self.folder.path().join("slapd.conf"))
            .arg("-l")
            .arg(file)
            .output()
            .expect("slapadd runs");
        assert!(output.status.success(), "slapadd: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn run(&mut self) {
        // The free port may be taken before slapd binds it.
        for _ in 0..5 {
            (self.port, self.tls_port) = (free_port(), free_port());
            self.process = Some(self.spawn());
            match self.wait_until_ready() {
                Ok(()) => return,
                Err(problem) => eprintln!("slapd did not start: {problem}"),
            }
        }
        panic!("slapd does not start");
    }

    fn spawn(&self) -> Running {
        let child = Command::new(SLAPD)
            .args(["-d", "0", "-h", &format!("{}/ {}/", self.uri(), self.tls_uri()), "-f"])
            .arg(self.folder.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("slapd runs");
        Running(child)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let Running(child) = self.process.as_mut().expect("a running slapd");
        loop {
            if let Some(status) = child.try_wait().expect("a child to wait for") {
                return Err(format!("it ended with {status}"));
            }
            if [self.port, self.tls_port].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("it does not listen".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Anonymous clients may only bind; bound ones may read. Binds without a password succeed as anonymous ones for any DN
/// (RFC 4513): they must not sign in users.
fn configuration(folder: &Path) -> String {
    let schemas: String =
        ["core", "cosine", "nis", "inetorgperson"].map(|name| format!("include {SCHEMAS}/{name}.schema\n")).concat();
    let folder = folder.display();
    format!(
        r#"{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
allow bind_anon_cred bind_anon_dn
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
maxsize 16777216
suffix "dc=example,dc=org"
rootdn "{MANAGER}"
rootpw "{MANAGER_PASSWORD}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
"#
    )
}

fn make_certificates(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a certificate is written");
    let issuer = |name: &str| {
        let mut params = CertificateParams::new(vec![]).expect("an issuer's parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("an issuer's certificate");
        (certificate.pem(), Issuer::new(params, key))
    };
    let (ca, ca_issuer) = issuer("an issuer for one test");
    let (strange, _) = issuer("another issuer");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let params = CertificateParams::new(names).expect("a server's parameters");
    let certificate = params.signed_by(&key, &ca_issuer).expect("a server's certificate");
    write("ca.pem", ca);
    write("strange.pem", strange);
    write("server.pem", certificate.pem());
    write("server.key", key.serialize_pem());
}
