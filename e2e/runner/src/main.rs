//! Runs the end-to-end checks. The scripts in `e2e/` call it; each check is a subcommand in a module of its own.

mod api_bench;
mod audit;
mod bad_input;
mod chart;
mod chart_operator;
mod examples;
mod figures;
mod golden;
mod jar_server;
mod kubernetes;
mod namespaced;
mod operator_pod;
mod operator_process;
mod pod_process;
mod scenarios;
mod take_over;
mod timeline;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    check: Check,
}

/// A new check is a module with its arguments and a function `run`, a variant here, and an arm below.
#[derive(Debug, Subcommand)]
enum Check {
    BadInput(bad_input::Arguments),
    Chart(chart::Arguments),
    Examples(examples::Arguments),
    Figures(figures::Arguments),
    Golden(golden::Arguments),
    Namespaced(namespaced::Arguments),
    Scenarios(scenarios::Arguments),
    TakeOver(take_over::Arguments),
    Timeline(timeline::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().check {
        Check::BadInput(arguments) => bad_input::run(&arguments),
        Check::Chart(arguments) => Ok(chart::run(&arguments)),
        Check::Examples(arguments) => examples::run(&arguments),
        Check::Figures(arguments) => figures::run(&arguments),
        Check::Golden(arguments) => golden::run(&arguments),
        Check::Namespaced(arguments) => namespaced::run(&arguments),
        Check::Scenarios(arguments) => scenarios::run(&arguments),
        Check::TakeOver(arguments) => take_over::run(&arguments),
        Check::Timeline(arguments) => timeline::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_fit_together() {
        super::Cli::command().debug_assert();
    }
}
