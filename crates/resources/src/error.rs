//! Why no objects could be built.

use flink_conf::ConfError;

/// Why the objects of a cluster could not be built. Every one of them is for the user: nothing helps but a change of
/// the resource or of the operator's default configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An option has a value that is not of its type, or the memory options do not fit together.
    #[error(transparent)]
    Configuration(#[from] ConfError),
    /// Options are readable, but Flink's client refuses them. Flink's own sentence where it has one, so that a search
    /// for it leads to Flink's pages.
    #[error("{0}")]
    Rule(String),
    /// A pod template is not one.
    #[error("{template} is not a valid pod template: {reason}")]
    PodTemplate {
        /// Which one, as a path in the resource.
        template: &'static str,
        /// What is wrong, with the path inside the template.
        reason: String,
    },
    /// The Ingress template does not lead to a host and path.
    #[error("Unable to process the Ingress template({template}). Error: {reason}")]
    IngressTemplate {
        /// The template as written.
        template: String,
        /// What is wrong.
        reason: String,
    },
    /// An object could not be turned into JSON. Does not happen with the types of Kubernetes.
    #[error("could not encode {0}")]
    Encoding(String),
}
