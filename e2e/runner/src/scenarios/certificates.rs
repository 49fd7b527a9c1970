//! Certificates as cert-manager writes them into Secrets, made with openssl and keytool.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::api_bench::call;

/// Of all stores.
pub(super) const PASSWORD: &str = "password1234";

/// How certificates and keys are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// keystore.jks and truststore.jks.
    Jks,
    /// keystore.p12 and truststore.p12.
    Pkcs12,
    /// tls.crt, tls.key and ca.crt.
    Pem,
}

/// Somebody who signs certificates.
pub(super) struct Authority {
    folder: PathBuf,
    name: String,
}

impl Authority {
    pub(super) fn new(folder: &Path, name: &str) -> Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let authority = Self { folder, name: name.to_owned() };
        let (key, certificate) = (authority.path("ca.key")?, authority.path("ca.crt")?);
        let subject = format!("/O=Apache Flink/CN={name}");
        let made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", &subject];
        call("openssl", &[&made[..], &["-keyout", &key, "-out", &certificate]].concat(), "")?;
        Ok(authority)
    }

    fn path(&self, file: &str) -> Result<String> {
        let path = self.folder.join(file);
        Ok(path.to_str().context("a path is not UTF-8")?.to_owned())
    }

    /// What a Secret holds: a certificate of this authority with its key, and all that are trusted. Returns the folder
    /// with these files alone.
    pub(super) fn issue(
        &self,
        name: &str,
        dns: &[&str],
        trusted: &[&Self],
        format: Format,
    ) -> Result<PathBuf> {
        let secret = self.folder.join(format!("{name}-secret"));
        let _ = fs::remove_dir_all(&secret);
        fs::create_dir_all(&secret)?;
        let path = |file: &str| self.path(&format!("{name}.{file}"));
        let (key, request, certificate) = (path("key")?, path("csr")?, path("crt")?);
        let subject = format!("/CN={name}");
        let made = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key];
        call("openssl", &[&made[..], &["-out", &request]].concat(), "")?;
        let names: Vec<_> = dns.iter().map(|name| format!("DNS:{name}")).collect();
        let extensions = path("ext")?;
        fs::write(&extensions, format!("subjectAltName={}\n", names.join(",")))?;
        let (ca, ca_key) = (self.path("ca.crt")?, self.path("ca.key")?);
        let signed = ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial"];
        let as_file = ["-days", "30", "-extfile", &extensions, "-out", &certificate];
        call("openssl", &[&signed[..], &as_file].concat(), "")?;
        let in_secret = |file: &str| {
            let path = secret.join(file);
            path.to_str().map(str::to_owned).context("a path is not UTF-8")
        };
        match format {
            Format::Jks => {
                let bundle = path("p12")?;
                pack(&certificate, &key, &ca, &bundle)?;
                let from =
                    ["-importkeystore", "-noprompt", "-srckeystore", &bundle, "-srcstorepass", PASSWORD];
                let store = in_secret("keystore.jks")?;
                let to = ["-destkeystore", &store, "-deststoretype", "JKS", "-deststorepass", PASSWORD];
                call("keytool", &[&from[..], &to].concat(), "")?;
                trust(trusted, &in_secret("truststore.jks")?, "JKS")?;
            }
            Format::Pkcs12 => {
                pack(&certificate, &key, &ca, &in_secret("keystore.p12")?)?;
                trust(trusted, &in_secret("truststore.p12")?, "PKCS12")?;
            }
            Format::Pem => {
                fs::copy(&certificate, in_secret("tls.crt")?)?;
                fs::copy(&key, in_secret("tls.key")?)?;
                let trusted =
                    trusted.iter().map(|authority| Ok(fs::read_to_string(authority.path("ca.crt")?)?));
                fs::write(in_secret("ca.crt")?, trusted.collect::<Result<String>>()?)?;
            }
        }
        Ok(secret)
    }
}

/// A PKCS#12 store of a key, its certificate, and who signed that.
fn pack(certificate: &str, key: &str, ca: &str, store: &str) -> Result<()> {
    let password = format!("pass:{PASSWORD}");
    let packed = ["pkcs12", "-export", "-in", certificate, "-inkey", key, "-certfile", ca];
    let as_file = ["-name", "certificate", "-passout", &password, "-out", store];
    call("openssl", &[&packed[..], &as_file].concat(), "").map(drop)
}

/// A store of the certificates of all that are trusted.
fn trust(trusted: &[&Authority], store: &str, kind: &str) -> Result<()> {
    for authority in trusted {
        let certificate = authority.path("ca.crt")?;
        let from = ["-importcert", "-noprompt", "-alias", &authority.name, "-file", &certificate];
        let to = ["-keystore", store, "-storetype", kind, "-storepass", PASSWORD];
        call("keytool", &[&from[..], &to].concat(), "")?;
    }
    Ok(())
}

/// Makes or replaces a Secret of all files of a folder.
pub(super) fn put_secret(namespace: &str, name: &str, folder: &Path) -> Result<()> {
    let files = format!("--from-file={}", folder.display());
    let made = ["create", "secret", "generic", name, "--namespace", namespace, &files];
    let secret = call("kubectl", &[&made[..], &["--dry-run=client", "--output=json"]].concat(), "")?;
    call("kubectl", &["apply", "--filename=-"], &secret).map(drop)
}
