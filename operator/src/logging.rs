//! The log: text or JSON on standard output, with the fields of the resource that a line is about.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, LogFormat};

/// Sets the log up.
///
/// # Errors
/// The filter cannot be read.
pub(crate) fn start(arguments: &Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&arguments.log_filter).with_context(|| {
        format!("--log-filter {:?} is not a filter such as info or info,engine=debug", arguments.log_filter)
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    match arguments.log_format {
        LogFormat::Text => log.with_ansi(std::io::stdout().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
