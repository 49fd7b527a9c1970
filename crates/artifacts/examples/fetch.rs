//! Fetches one jar as the operator would: `fetch [--operator KEY=VALUE | --job KEY=VALUE]… URI`.
//!
//! Options of `--operator` are those of the operator's configuration, which apply to the job, too. Prints size and
//! SHA-256, or the error and whether it needs somebody to change something. The credentials of the pod come from the
//! environment.

use std::process::ExitCode;

use artifacts::{ArtifactOptions, ArtifactStore};
use engine::ports::{ArtifactRequest, Artifacts};
use flink_client::JarFile;
use flink_conf::FlinkConf;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<String, String> {
    let (mut operator, mut job, mut uri) = (FlinkConf::new(), FlinkConf::new(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let layer = match argument.as_str() {
            "--operator" => &mut operator,
            "--job" => &mut job,
            _ => {
                uri = Some(argument);
                continue;
            }
        };
        let pair = arguments.next().ok_or("KEY=VALUE is missing")?;
        let (key, value) = pair.split_once('=').ok_or("an option is KEY=VALUE")?;
        layer.set(key, value);
    }
    let options = ArtifactOptions::read(&operator).map_err(|error| error.to_string())?.with_environment();
    let mut configuration = operator;
    configuration.overlay(&job);
    let request = ArtifactRequest { uri: uri.ok_or("the URI is missing")?, configuration };
    let store = ArtifactStore::new(options);
    let mut last = String::new();
    // The second time shows whether what was kept is used.
    for _ in 0..2 {
        let fetched = store.fetch(&request).await;
        let artifact = fetched.map_err(|error| format!("needs_user={} {error}", error.needs_user))?;
        let JarFile::Path { name, path } = &artifact.jar else { return Err("no file".to_owned()) };
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let hex = digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        last = format!("{name} {} {hex} {}", bytes.len(), path.display());
    }
    Ok(last)
}
