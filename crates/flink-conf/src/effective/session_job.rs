//! The configuration of a FlinkSessionJob.

use api::FlinkSessionJobSpec;

use super::{flat, job};
use crate::conf::FlinkConf;
use crate::error::ConfError;

/// The configuration of a session job: that of its session cluster ([`super::observe`]), the job's own
/// `flinkConfiguration` over it, then the job's fields. `name` is the FlinkSessionJob's name.
///
/// # Errors
/// [`ConfError::Field`] if `flinkConfiguration` is not an object.
pub fn session_job(
    cluster: &FlinkConf,
    name: &str,
    spec: &FlinkSessionJobSpec,
) -> Result<FlinkConf, ConfError> {
    let mut conf = cluster.clone();
    conf.overlay(&flat(spec.flink_configuration.as_ref())?);
    job::common_defaults(&mut conf, name);
    if let Some(job_spec) = &spec.job {
        job::common_fields(&mut conf, job_spec);
    }
    Ok(conf)
}
