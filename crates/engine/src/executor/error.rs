//! Why an effect failed.

use flink_client::{EndpointError, FlinkError, IdentifierError};
use thiserror::Error;

use super::Failure;
use crate::ports::{ApiError, ArtifactError, ErrorClass, ZooKeeperError};

/// An effect that failed.
#[derive(Debug, Error)]
#[error("{action}: {kind}")]
pub struct EffectError {
    /// What was tried.
    pub action: String,
    /// What came back.
    #[source]
    pub kind: EffectErrorKind,
}

/// Why an effect failed.
#[derive(Debug, Error)]
pub enum EffectErrorKind {
    /// The API server.
    #[error("{0}")]
    Kubernetes(#[from] ApiError),
    /// Flink.
    #[error("{0}")]
    Flink(#[from] FlinkError),
    /// There is an object of that name which is not part of this resource, or of an earlier attempt. It is not touched.
    #[error(
        "an object of that name exists and was not created by this deployment attempt ({found}). It is left alone. \
         Remedy: delete it, or give the FlinkDeployment another name"
    )]
    Foreign {
        /// Whose it seems to be.
        found: String,
    },
    /// The object of that name is still being deleted.
    #[error("the earlier object of that name is still being deleted")]
    Terminating,
    /// The Deployment that an object was to belong to is another one by now.
    #[error("the Deployment was replaced meanwhile")]
    Replaced,
    /// The resource on whose behalf the effect is wanted is gone or is being deleted.
    #[error("the resource is gone or is being deleted")]
    ResourceGone,
    /// The resource on whose behalf the effect is wanted has changed meanwhile.
    #[error("the resource has changed meanwhile")]
    ResourceChanged,
    /// An object of a kind that this operator does not know.
    #[error("{api_version} {kind} is not a kind that this operator creates")]
    UnknownKind {
        /// As written in the object.
        api_version: String,
        /// As written in the object.
        kind: String,
    },
    /// A recorded job id or trigger id is none.
    #[error("{0}")]
    Identifier(#[from] IdentifierError),
    /// A text that stands for one of Flink's choices is none of them.
    #[error("{value:?} is none of Flink's {what}")]
    Choice {
        /// What kind of choice.
        what: &'static str,
        /// As written.
        value: String,
    },
    /// A jar cannot be had.
    #[error("{0}")]
    Artifact(#[from] ArtifactError),
    /// There is no Secret of the name that the configuration gives.
    #[error("there is no Secret {name} in the namespace of the job. Remedy: create it, or correct its name")]
    NoSecret {
        /// Its name.
        name: String,
    },
    /// `ZooKeeper`.
    #[error("{0}")]
    ZooKeeper(#[from] ZooKeeperError),
    /// The cluster has no address.
    #[error("the cluster's address is unusable: {0}")]
    Address(#[from] EndpointError),
}

impl EffectErrorKind {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Kubernetes(error) => error.class(),
            Self::Flink(error) => match error.class() {
                flink_client::ErrorClass::Retry => ErrorClass::Retry,
                flink_client::ErrorClass::LookAgain => ErrorClass::LookAgain,
                flink_client::ErrorClass::TellUser => ErrorClass::TellUser,
            },
            Self::Artifact(error) if error.needs_user => ErrorClass::TellUser,
            Self::Terminating | Self::Artifact(_) | Self::ZooKeeper(_) => ErrorClass::Retry,
            Self::ResourceGone | Self::ResourceChanged | Self::Replaced => ErrorClass::LookAgain,
            Self::Foreign { .. }
            | Self::UnknownKind { .. }
            | Self::Identifier(_)
            | Self::Choice { .. }
            | Self::NoSecret { .. }
            | Self::Address(_) => ErrorClass::TellUser,
        }
    }

    /// Whether deciding again at once can help: only when something that the caches tell has changed. What Flink
    /// knows better is told by the next poll, so a failed call to it waits like any other failure.
    fn look_again(&self) -> bool {
        match self {
            Self::Kubernetes(ApiError::Conflict { .. })
            | Self::ResourceGone
            | Self::ResourceChanged
            | Self::Replaced => true,
            Self::Kubernetes(_)
            | Self::Flink(_)
            | Self::Foreign { .. }
            | Self::Terminating
            | Self::ZooKeeper(_)
            | Self::UnknownKind { .. }
            | Self::Identifier(_)
            | Self::Choice { .. }
            | Self::Artifact(_)
            | Self::NoSecret { .. }
            | Self::Address(_) => false,
        }
    }

    /// Whether a repeat fails as well, until somebody changes something. What is not found when it is applied is the
    /// kind itself.
    fn needs_user(&self) -> bool {
        self.class() == ErrorClass::TellUser || matches!(self, Self::Kubernetes(ApiError::NotFound { .. }))
    }

    /// With what was tried.
    pub(super) fn during(self, action: String) -> EffectError {
        EffectError { action, kind: self }
    }
}

impl EffectError {
    /// The same as data.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure {
            action: self.action.clone(),
            message: self.kind.to_string(),
            look_again: self.kind.look_again(),
            needs_user: self.kind.needs_user(),
            operation: None,
        }
    }
}
