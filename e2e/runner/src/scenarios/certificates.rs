//! Certificates as cert-manager writes them into Secrets, made with openssl and keytool.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::api_bench::call;

/// Of all stores.
pub(super) const PASSWORD: &str = "password1234";

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

    /// What a Secret holds: keystore.jks with a certificate of this authority, and truststore.jks with all that are
    /// trusted. Returns the folder with these files alone.
    pub(super) fn issue(&self, name: &str, dns: &[&str], trusted: &[&Self]) -> Result<PathBuf> {
        let secret = self.folder.join(format!("{name}-secret"));
        fs::create_dir_all(&secret)?;
        let stores: Vec<_> =
            ["keystore.jks", "truststore.jks"].iter().map(|file| secret.join(file)).collect();
        for store in &stores {
            let _ = fs::remove_file(store);
        }
        let path = |file: &str| self.path(&format!("{name}.{file}"));
        let (key, request, certificate, bundle) = (path("key")?, path("csr")?, path("crt")?, path("p12")?);
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
        let password = format!("pass:{PASSWORD}");
        let packed = ["pkcs12", "-export", "-in", &certificate, "-inkey", &key, "-certfile", &ca];
        let as_file = ["-name", "certificate", "-passout", &password, "-out", &bundle];
        call("openssl", &[&packed[..], &as_file].concat(), "")?;
        let [key_store, trust_store] = [&stores[0], &stores[1]].map(|path| path.to_str().unwrap_or_default());
        let from = ["-importkeystore", "-noprompt", "-srckeystore", &bundle, "-srcstorepass", PASSWORD];
        let to = ["-destkeystore", key_store, "-deststoretype", "JKS", "-deststorepass", PASSWORD];
        call("keytool", &[&from[..], &to].concat(), "")?;
        for authority in trusted {
            let certificate = authority.path("ca.crt")?;
            let from = ["-importcert", "-noprompt", "-alias", &authority.name, "-file", &certificate];
            let to = ["-keystore", trust_store, "-storetype", "JKS", "-storepass", PASSWORD];
            call("keytool", &[&from[..], &to].concat(), "")?;
        }
        Ok(secret)
    }
}

/// Makes or replaces a Secret of all files of a folder.
pub(super) fn put_secret(namespace: &str, name: &str, folder: &Path) -> Result<()> {
    let files = format!("--from-file={}", folder.display());
    let made = ["create", "secret", "generic", name, "--namespace", namespace, &files];
    let secret = call("kubectl", &[&made[..], &["--dry-run=client", "--output=json"]].concat(), "")?;
    call("kubectl", &["apply", "--filename=-"], &secret).map(drop)
}
