//! Programs in Python, which a session cluster runs by Flink's own driver.
//!
//! Source: Flink 1.20, `PythonDriver`, `PythonDriverOptionsParserFactory`, `CommandLineParser`.

use api::JobSpec;

const DRIVER: &str = "org.apache.flink.client.python.PythonDriver";
/// Options that name a program: short forms, and long forms, which may be shortened.
const SHORT: [&str; 2] = ["py", "pym"];
const LONG: [&str; 2] = ["python", "pyModule"];

pub(crate) fn is_python(job: &JobSpec) -> bool {
    job.entry_class.as_deref() == Some(DRIVER)
}

/// Whether the driver of Flink 1.x finds the program among its arguments. It reads options up to the first one that it does
/// not know, and ends the whole JobManager if the program was not among them.
pub(crate) fn names_program(arguments: &[String]) -> bool {
    let [option, _, ..] = arguments else { return false };
    let name = option.trim_start_matches('-');
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    let is_known = SHORT.contains(&name) || LONG.iter().any(|long| long.starts_with(name));
    option.starts_with('-') && !name.is_empty() && is_known
}
