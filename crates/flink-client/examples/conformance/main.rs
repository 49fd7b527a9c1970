//! Checks that a Flink behaves as the stub does, for everything that the operator relies on.
//!
//! ```text
//! cargo run -p flink-client --features stub-server --example conformance -- stub
//! cargo run -p flink-client --features stub-server --example conformance -- http://127.0.0.1:8081 \
//!     --jar counting-job.jar [--savepoints file:///tmp/savepoints] [--arguments '--rate 100']
//! ```
//!
//! The Flink must be a session cluster with a free slot, checkpoints switched on
//! (`execution.checkpointing.interval` and `execution.checkpointing.dir`) and retained on cancellation. The jar is
//! the counting job of `e2e/job`: it understands `--count N` (finish) and `--fail-at N` (fail). A line for each
//! check says `agrees` or `differs` and why; the last line is `N agree, M differ`. Exit code 1 if any differs.

mod checks;
mod stub_cluster;

use std::path::PathBuf;
use std::process::ExitCode;

use checks::Bench;
use flink_client::{FlinkClient, HttpOptions, JarFile};

struct Arguments {
    target: String,
    jar: Option<PathBuf>,
    savepoints: String,
    program_args: Vec<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut given = std::env::args().skip(1);
    let target = given.next().ok_or("usage: conformance stub|URL [--jar PATH] [--savepoints DIRECTORY]")?;
    let mut arguments = Arguments {
        target,
        jar: None,
        savepoints: "file:///tmp/flink-conformance".to_owned(),
        program_args: Vec::new(),
    };
    while let Some(option) = given.next() {
        let value = given.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--jar" => arguments.jar = Some(PathBuf::from(value)),
            "--savepoints" => arguments.savepoints = value,
            "--arguments" => arguments.program_args = value.split_whitespace().map(str::to_owned).collect(),
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(arguments)
}

async fn run(arguments: Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let client = FlinkClient::over_http(&HttpOptions::default())?;
    // Kept until the end: the stub listens for as long as it lives.
    let stub;
    let (endpoint, jar) = if arguments.target == "stub" {
        stub = stub_cluster::start().await?;
        (stub.endpoint()?, stub_cluster::jar())
    } else {
        let path = arguments.jar.ok_or("a real Flink needs --jar")?;
        (arguments.target.parse()?, JarFile::Path { name: "conformance.jar".to_owned(), path })
    };
    let bench = Bench::new(&client.cluster(&endpoint), jar, arguments.savepoints, arguments.program_args);
    let outcomes = checks::run_all(&bench).await;
    for outcome in &outcomes {
        println!("{outcome}");
    }
    let differing = outcomes.iter().filter(|outcome| outcome.difference.is_some()).count();
    println!("{} agree, {differing} differ", outcomes.len() - differing);
    Ok(differing == 0)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    match run(arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}
