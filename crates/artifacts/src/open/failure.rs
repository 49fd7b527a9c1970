//! Why there is no jar, and what to do about it.

use engine::ports::ArtifactError;

use crate::plan::{Plan, Source};

/// A reason without the place where it happened.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) needs_user: bool,
    /// Whether better credentials could help.
    pub(crate) forbidden: bool,
}

impl Failure {
    pub(crate) fn needs_user(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), needs_user: true, forbidden: false }
    }

    pub(crate) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), needs_user: false, forbidden: false }
    }

    /// What an HTTP status means for whoever wants a file.
    pub(crate) fn status(status: u16, detail: &str) -> Self {
        let answer = if detail.is_empty() { format!("{status}") } else { format!("{status}, {detail}") };
        match status {
            401 | 403 => Self {
                reason: format!("the server does not let us read it ({answer})"),
                needs_user: true,
                forbidden: true,
            },
            404 | 410 => Self::needs_user(format!(
                "it does not exist ({answer}). Correct jarURI, or put the jar there"
            )),
            408 | 425 | 429 => Self::passing(format!("the server asks for patience ({answer})")),
            500.. => Self::passing(format!("the server has failed ({answer})")),
            _ => Self::needs_user(format!("the server answers with {answer}")),
        }
    }
}

/// The error for a status and a log: what, why, and what to do.
pub(crate) fn because(plan: &Plan, failure: Failure) -> ArtifactError {
    let Failure { reason, needs_user, forbidden } = failure;
    let mut message = format!("The jar {} cannot be fetched: {reason}.", plan.uri);
    if forbidden {
        message.push_str(credentials_hint(&plan.source));
    }
    if forbidden && plan.withheld {
        let remedy = match plan.source {
            Source::Object(_) => "have the endpoint set there, too",
            Source::Http(_) | Source::Hdfs(_) | Source::File(_) => {
                "have it added to kubernetes.operator.user.artifacts.credentials-hosts"
            }
        };
        message.push_str(
            " The operator's own credentials were not used, because its configuration does not name this server: give \
             the job its own, or ",
        );
        message.push_str(remedy);
        message.push('.');
    }
    ArtifactError { message, needs_user }
}

fn credentials_hint(source: &Source) -> &'static str {
    match source {
        Source::Http(_) => {
            " Give credentials in kubernetes.operator.user.artifacts.http.username and .password, .bearer-token or \
             .header, or correct them."
        }
        Source::Object(object) => match object.store {
            crate::plan::Store::S3(_) => {
                " Check its credentials (s3.access-key and s3.secret-key, or the role of the operator's service account) \
                 and their rights."
            }
            crate::plan::Store::Gcs(_) => {
                " Check its credentials (gs.auth.service.account.json, or the identity of the operator's service \
                 account) and their rights."
            }
            crate::plan::Store::Azure(_) => {
                " Check its credentials (fs.azure.account.key.…, or the identity of the operator's service account) and \
                 their rights."
            }
        },
        Source::Hdfs(_) => {
            " Give kubernetes.operator.user.artifacts.webhdfs.delegation-token or .user; Kerberos itself is not spoken."
        }
        Source::File(_) => "",
    }
}
