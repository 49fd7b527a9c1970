//! The operator's trust store and key store: read at the start and again whenever their files change, so that
//! certificates are rotated without a restart.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use flink_client::key_store::{self, Identity, KeyStore, KeyStoreError};
use flink_client::{CertificateDer, HttpTransport, TlsOptions};

use crate::arguments::{Arguments, Secret};

/// How often the files are looked at. The kubelet takes a minute or so to bring a changed Secret into a pod.
const INTERVAL: Duration = Duration::from_secs(10);

/// Makes the transport use the stores that the arguments name, and follow their changes.
///
/// A store that cannot be used is told in the log, and by the transport to whoever needs it; clusters without TLS do
/// not depend on it.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn follow(arguments: &Arguments, transport: Arc<HttpTransport>) -> anyhow::Result<()> {
    let mut stores = Stores::new(arguments);
    stores.look(&transport);
    if stores.trust.is_configured() || stores.key.is_configured() {
        let look_again = move || loop {
            std::thread::sleep(INTERVAL);
            stores.look(&transport);
        };
        std::thread::Builder::new().name("certificates".to_owned()).spawn(look_again).context("no thread")?;
    }
    Ok(())
}

/// Both stores, and what of them is in use.
struct Stores {
    trust: Followed<Vec<CertificateDer<'static>>>,
    key: Followed<Identity>,
    password: Option<Secret>,
    verify_host_name: bool,
    /// Whether the transport has got anything yet.
    began: bool,
}

/// One store, and what was found in it.
struct Followed<T> {
    place: Place,
    /// The content that was looked at last; an error if it could not be read.
    content: Option<Result<Vec<u8>, String>>,
    /// What is in use: the newest content that was any good.
    good: Option<T>,
    /// What is wrong with the newest content.
    problem: Option<String>,
}

/// Where a store is.
struct Place {
    /// Environment variable that names it.
    variable: &'static str,
    path: Option<PathBuf>,
    /// What else a Secret of cert-manager may have next to it, when it is not there itself.
    others: [&'static str; 2],
}

impl Stores {
    fn new(arguments: &Arguments) -> Self {
        let trust = Place {
            variable: "OPERATOR_TRUSTSTORE_PATH",
            path: arguments.trust_store.clone(),
            others: ["truststore.p12", "ca.crt"],
        };
        let key = Place {
            variable: "OPERATOR_KEYSTORE_PATH",
            path: arguments.key_store.clone(),
            others: ["keystore.p12", "tls.crt"],
        };
        Self {
            trust: Followed::new(trust),
            key: Followed::new(key),
            password: arguments.store_password.clone(),
            verify_host_name: arguments.verify_host_name,
            began: false,
        }
    }

    /// Looks at both files, and gives the transport what has changed.
    fn look(&mut self, transport: &HttpTransport) {
        let password = self.password.as_ref().map(|password| password.0.as_str());
        let trust_changed = self.trust.look(password, trusted);
        let key_changed = self.key.look(password, identity);
        if self.began && !trust_changed && !key_changed {
            return;
        }
        let tls = self.options();
        let (trusted, identity) = (tls.trusted.len(), tls.identity.is_some());
        match transport.use_tls(tls) {
            Ok(()) if !self.trust.is_configured() && !self.key.is_configured() => {}
            Ok(()) => tracing::info!(trusted, identity, "certificates are in use"),
            Err(error) => tracing::error!("the certificates cannot be used: {error}"),
        }
        self.began = true;
    }

    fn options(&self) -> TlsOptions {
        TlsOptions {
            trusted: self.trust.good.clone().unwrap_or_default(),
            identity: self.key.good.clone(),
            verify_host_name: self.verify_host_name,
            trust_problem: self.trust.explanation("trust store"),
            identity_problem: self.key.explanation("key store"),
        }
    }
}

impl<T> Followed<T> {
    fn new(place: Place) -> Self {
        Self { place, content: None, good: None, problem: None }
    }

    fn is_configured(&self) -> bool {
        self.place.path.is_some()
    }

    /// Looks at the file. Returns whether its content, or what is wrong with it, has changed.
    fn look(&mut self, password: Option<&str>, usable: fn(KeyStore) -> Result<T, String>) -> bool {
        let Some(path) = &self.place.path else { return false };
        let (path, content) = self.place.read(path);
        if self.content.as_ref() == Some(&content) {
            return false;
        }
        let found = match &content {
            Ok(content) => store(content, password).and_then(usable),
            Err(error) => Err(error.clone()),
        };
        self.content = Some(content);
        match found {
            Ok(found) => (self.good, self.problem) = (Some(found), None),
            Err(error) => {
                let problem = format!("{} cannot be used: {error}", path.display());
                let old = if self.good.is_some() { "; what it held before stays in use" } else { "" };
                tracing::error!("{problem}{old}");
                self.problem = Some(problem);
            }
        }
        true
    }

    /// What a person has to know when no connection comes about.
    fn explanation(&self, what: &str) -> Option<String> {
        match (&self.place.path, &self.problem) {
            (None, _) => Some(format!(
                "The operator has no {what}: {} is not set (chart value tls.create)",
                self.place.variable
            )),
            (Some(_), problem) => problem.as_ref().map(|problem| format!("The operator's {what} {problem}")),
        }
    }
}

impl Place {
    /// The content of the file, or of what is there in its stead, and the path of what was read.
    fn read(&self, path: &Path) -> (PathBuf, Result<Vec<u8>, String>) {
        let others = self.others.iter().map(|name| path.with_file_name(name));
        let mut missing = None;
        for path in std::iter::once(path.to_owned()).chain(others) {
            match content(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => missing = missing.or(Some(error)),
                Err(error) => return (path, Err(error.to_string())),
                Ok(content) => return (path, Ok(content)),
            }
        }
        (path.to_owned(), Err(missing.map_or_else(String::new, |error| error.to_string())))
    }
}

/// A file's content; of a certificate `NAME.crt` together with its key `NAME.key`, if that exists.
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = std::fs::read(path)?;
    if path.extension().is_some_and(|extension| extension == "crt") {
        match std::fs::read(path.with_extension("key")) {
            Ok(key) => {
                content.push(b'\n');
                content.extend(key);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(content)
}

fn store(content: &[u8], password: Option<&str>) -> Result<KeyStore, String> {
    KeyStore::read(content, password).map_err(|error| match error {
        KeyStoreError::Password if password.is_none_or(str::is_empty) => {
            "it has a password, and OPERATOR_KEYSTORE_PASSWORD is not set".to_owned()
        }
        error => error.to_string(),
    })
}

fn trusted(store: KeyStore) -> Result<Vec<CertificateDer<'static>>, String> {
    if store.trusted.is_empty() {
        return Err("it holds no certificate that is marked as trusted".to_owned());
    }
    warn_of_dates(&store.trusted);
    let tls = TlsOptions { trusted: store.trusted.clone(), ..TlsOptions::default() };
    tls.check().map_err(|error| error.to_string())?;
    Ok(store.trusted)
}

fn identity(store: KeyStore) -> Result<Identity, String> {
    let identity = store.identity.ok_or("it holds no private key with a certificate")?;
    warn_of_dates(&identity.chain);
    let tls = TlsOptions { identity: Some(identity.clone()), ..TlsOptions::default() };
    tls.check().map_err(|error| error.to_string())?;
    Ok(identity)
}

/// They are used all the same: the clock may be wrong, and Java does not look at the dates of what it trusts.
fn warn_of_dates(certificates: &[CertificateDer<'_>]) {
    let now = SystemTime::now();
    for problem in certificates.iter().filter_map(|it| key_store::out_of_date(it, now)) {
        tracing::warn!("{problem}");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use flink_client::HttpOptions;

    use super::*;

    /// A folder with files as they are in a Secret.
    struct Secrets(PathBuf);

    impl Secrets {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("certificates-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        /// Puts one of the stores of the client's tests there.
        fn put(&self, store: &str, name: &str) {
            let stores = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/flink-client/tests/stores");
            std::fs::copy(stores.join(store), self.0.join(name)).unwrap();
        }

        fn write(&self, name: &str, content: &str) {
            std::fs::write(self.0.join(name), content).unwrap();
        }

        fn stores(&self, password: &str) -> Stores {
            let path = |name: &str| self.0.join(name).into_os_string().into_string().unwrap();
            let (trust, key) = (path("truststore.jks"), path("keystore.jks"));
            let arguments = ["flink-operator", "--trust-store", &trust, "--key-store", &key];
            let password = ["--store-password", password];
            Stores::new(&Arguments::parse_from([&arguments[..], &password].concat()))
        }
    }

    impl Drop for Secrets {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn transport() -> HttpTransport {
        HttpTransport::new(&HttpOptions::default()).unwrap()
    }

    const PASSWORD: &str = "password1234";

    #[test]
    fn stores_may_come_later_and_what_is_broken_changes_nothing() {
        let (secrets, transport) = (Secrets::new("later"), transport());
        let mut stores = secrets.stores(PASSWORD);
        stores.look(&transport);
        let options = stores.options();
        assert!(options.trusted.is_empty() && options.identity.is_none());
        assert!(options.trust_problem.unwrap().contains("truststore.jks cannot be used: No such file"));
        secrets.put("truststore.jks", "truststore.jks");
        secrets.put("keystore.jks", "keystore.jks");
        stores.look(&transport);
        let options = stores.options();
        assert_eq!((options.trusted.len(), options.identity.is_some()), (1, true));
        assert_eq!((options.trust_problem, options.identity_problem), (None, None));
        secrets.write("truststore.jks", "nonsense");
        secrets.put("openssl.p12", "keystore.jks");
        stores.look(&transport);
        let options = stores.options();
        assert_eq!((options.trusted.len(), options.identity.is_some()), (1, true));
        assert!(options.trust_problem.unwrap().contains("neither PEM nor PKCS#12 nor JKS"));
        assert_eq!(options.identity_problem, None);
    }

    #[test]
    fn a_secret_without_java_stores_will_do() {
        let (secrets, transport) = (Secrets::new("pem"), transport());
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            secrets.put(file, file);
        }
        let mut stores = secrets.stores("");
        stores.look(&transport);
        let options = stores.options();
        assert_eq!((options.trusted.len(), options.identity.unwrap().chain.len()), (1, 2));
        secrets.put("truststore.p12", "truststore.p12");
        stores.look(&transport);
        let problem = stores.options().trust_problem.unwrap();
        assert!(problem.contains("OPERATOR_KEYSTORE_PASSWORD is not set"), "{problem}");
    }

    #[test]
    fn passwords_are_not_shown() {
        let secrets = Secrets::new("passwords");
        secrets.put("keystore.jks", "keystore.jks");
        let mut stores = secrets.stores("wrong-word");
        stores.look(&transport());
        let problem = stores.options().identity_problem.unwrap();
        assert!(problem.contains("the password is wrong") && !problem.contains("wrong-word"), "{problem}");
        let arguments = Arguments::parse_from(["flink-operator", "--store-password", "wrong-word"]);
        assert!(!format!("{arguments:?}").contains("wrong-word"));
    }

    #[test]
    fn without_stores_the_variable_is_named() {
        let stores = Stores::new(&Arguments::parse_from(["flink-operator"]));
        let problem = stores.options().trust_problem.unwrap();
        assert!(problem.contains("OPERATOR_TRUSTSTORE_PATH is not set"), "{problem}");
    }
}
