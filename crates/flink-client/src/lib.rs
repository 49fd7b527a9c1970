//! Typed client of Flink's REST API (Flink 1.15 to 2.x), and a stub Flink for tests.
//!
//! * [`FlinkClient`] holds what is shared: the [`Transport`] with its connection pool and the [`Limits`].
//! * [`FlinkClient::cluster`] gives a [`FlinkCluster`], on which every call is a method.
//! * Every answer is a type of [`answers`]; every failure is a [`FlinkError`] that says what to do next
//!   ([`FlinkError::class`]) and whether the request may have had an effect
//!   ([`FlinkError::may_have_happened`]).
//! * [`Transport`] is the only way out. [`HttpTransport`] sends over a pooled HTTP client; a transport that goes
//!   through the Kubernetes API server's service proxy, or one that answers from memory, takes its place
//!   without a change here. Outside of [`HttpTransport`] nothing in this crate reads a clock or sleeps.
//!
//! With the feature `stub`, [`stub`] holds a model of a Flink cluster as a plain value: request in, answer
//! out, with the time as an argument. With the feature `stub-server` the same model listens on loopback.

pub mod answers;
mod calls;
mod client;
mod endpoint;
mod error;
mod error_text;
mod http_transport;
mod identifiers;
pub mod key_store;
mod requests;
#[cfg(feature = "stub")]
pub mod stub;
mod tls;
mod transport;

pub use client::{FlinkClient, FlinkCluster, Limits};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use error::{ErrorClass, FlinkError, Missing};
pub use error_text::{ErrorText, redact};
pub use http_transport::{HttpOptions, HttpSetupError, HttpTransport};
pub use identifiers::{IdentifierError, JobId, TriggerId, VertexId};
pub use requests::{
    CheckpointTrigger, CheckpointType, JarFile, JarRun, RestoreMode, SavepointFormat, SavepointTrigger,
    StopWithSavepoint,
};
pub use rustls::pki_types::CertificateDer;
pub use tls::{TlsError, TlsOptions};
pub use transport::{
    BodyPart, Call, RequestBody, RestRequest, RestResponse, Transport, TransportError, read_body,
};
