//! Compares the API server in memory with the one that the kubeconfig names, call by call:
//! `conformance NAMESPACE [--record FILE]`. The namespace has to exist, to be empty, and to know the product's CRDs.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use engine::kubernetes::{ConnectOptions, Kubernetes};
use jiff::Timestamp;
use simulation::api_server::ApiServer;
use simulation::clock::VirtualClock;
use simulation::conformance::{Collect, Wait, outcomes};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(namespace) = arguments.next() else {
        eprintln!("usage: conformance NAMESPACE [--record FILE]");
        return ExitCode::from(2);
    };
    let record = arguments.next().filter(|it| it == "--record").and_then(|_| arguments.next());
    match run(&namespace, record).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

async fn run(namespace: &str, record: Option<String>) -> Result<bool, String> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Err("TLS is set up already".to_owned());
    }
    let options = ConnectOptions::new(env!("CARGO_PKG_VERSION"));
    let real = Kubernetes::connect(&options).await.map_err(|error| error.to_string())?;
    println!("API server {}", real.version().await.map_err(|error| error.to_string())?);
    let real = outcomes(&real, &Wait(Duration::from_millis(100)), namespace).await;
    let clock = VirtualClock::new(Timestamp::UNIX_EPOCH);
    let memory = ApiServer::new(Arc::new(clock));
    let ours = outcomes(&memory, &Collect(memory.clone()), namespace).await;
    if let Some(file) = record {
        std::fs::write(&file, real.join("\n") + "\n").map_err(|error| format!("{file}: {error}"))?;
    }
    let (mut equal, mut differing) = (0, 0);
    for index in 0..real.len().max(ours.len()) {
        let (real, ours) = (real.get(index), ours.get(index));
        if real == ours {
            equal += 1;
        } else {
            differing += 1;
            println!("real   {}", real.map_or("-", String::as_str));
            println!("memory {}\n", ours.map_or("-", String::as_str));
        }
    }
    println!("{equal} equal, {differing} differing");
    Ok(differing == 0)
}
