//! A certificate authority.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// A certificate authority.
pub struct CertificateAuthority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both in PEM.
pub struct CertificateAndKey {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl CertificateAuthority {
    /// An authority with this name.
    pub fn new(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name, &[]), key());
        Self(issuer.expect("an authority"))
    }

    /// Its certificate in PEM.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server with these names.
    pub fn server(&self, names: &[&str]) -> CertificateAndKey {
        self.sign(&params("a server", names))
    }

    /// An expired one.
    pub fn expired_server(&self, names: &[&str]) -> CertificateAndKey {
        let mut params = params("a server", names);
        params.not_after = date_time_ymd(2020, 2, 29);
        self.sign(&params)
    }

    /// A certificate for a user, whose name is its common name.
    pub fn user(&self, name: &str) -> CertificateAndKey {
        self.sign(&params(name, &[]))
    }

    fn sign(&self, params: &CertificateParams) -> CertificateAndKey {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        CertificateAndKey { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl CertificateAndKey {
    /// A self-signed server certificate, marked as an authority, like those of `openssl req -x509`.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = key();
        let certificate = authority("a server", names).self_signed(&key).expect("a certificate");
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str, hosts: &[&str]) -> CertificateParams {
    let mut params = params(name, hosts);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}
