//! Writes the `CustomResourceDefinition`s: `crds [--check] FOLDER`. With `--check` nothing is written, and
//! the exit code says whether the folder is current.

use std::{env, fs, io, path::Path, process::ExitCode};

use api::crd::{Definition, definitions};

fn main() -> ExitCode {
    let mut check = false;
    let mut folder = None;
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--check" => check = true,
            _ if folder.is_none() && !argument.starts_with('-') => folder = Some(argument),
            _ => return usage(),
        }
    }
    let Some(folder) = folder else { return usage() };
    let mut stale = false;
    for definition in definitions() {
        match bring_up_to_date(&definition, Path::new(&folder), check) {
            Ok(true) => {}
            Ok(false) => {
                eprintln!("{} is not current", definition.file_name);
                stale = true;
            }
            Err(error) => {
                eprintln!("{}: {error}", definition.file_name);
                return ExitCode::FAILURE;
            }
        }
    }
    if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn usage() -> ExitCode {
    eprintln!("usage: crds [--check] FOLDER");
    ExitCode::from(2)
}

/// Writes the file, or only checks it. Returns whether it is current afterwards.
fn bring_up_to_date(definition: &Definition, folder: &Path, check: bool) -> io::Result<bool> {
    let text = definition.to_yaml().map_err(io::Error::other)?;
    let path = folder.join(&definition.file_name);
    if check {
        return Ok(fs::read_to_string(path).is_ok_and(|found| found == text));
    }
    fs::write(path, text)?;
    Ok(true)
}
