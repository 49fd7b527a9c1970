//! The operator: reads its configuration, connects the rooms, and runs until it is told to stop.

mod arguments;
mod configuration;
mod http;
mod logging;
mod pages;
mod reload;
mod run;
mod tls;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse_tolerantly();
    if let Err(error) = logging::start(&arguments) {
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    match run::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the operator ends: {error:#}");
            ExitCode::FAILURE
        }
    }
}
