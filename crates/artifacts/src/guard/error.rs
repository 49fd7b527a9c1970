//! What went wrong on the way to a server, for a person to read.

use std::error::Error;
use std::io;

use lifecycle::validate::Refusal;

use super::SILENCE;
use crate::keys;

/// A host or address that jars may not be fetched from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("jars may not be fetched from {host}: {}", reason(*refusal))]
pub(crate) struct Refused {
    pub(crate) host: String,
    pub(crate) refusal: Refusal,
}

fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied => format!("it is in {} of the operator. Use another host", keys::DENIED_HOSTS),
        Refusal::NotListed => format!(
            "only hosts in {} of the operator are allowed. Use one of them, or have this one added",
            keys::ALLOWED_HOSTS
        ),
        Refusal::Metadata => {
            "its address is link-local or one of a cloud's metadata service. Use another host".to_owned()
        }
        Refusal::Restricted => format!(
            "its address is in the operator's own network. Use a public host, or have this one added to {} of the \
             operator",
            keys::ALLOWED_HOSTS
        ),
    }
}

/// The refusal behind an error, if that is why.
pub(crate) fn refused<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Refused> {
    cause(error)
}

/// The error of a kind behind an error.
pub(crate) fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// What is wrong with a server's certificate, if that is why.
pub(crate) fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    let reason = causes(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            Some("its certificate is signed by nobody whom the operator trusts".to_owned())
        }
        rustls::Error::InvalidCertificate(reason) => Some(format!("its certificate is not valid: {reason}")),
        _ => None,
    })?;
    Some(format!("{reason}. See {} of the operator", keys::TRUSTED_CERTIFICATES))
}

/// What happened, in a few words: the innermost cause, without URLs.
pub(crate) fn explain(error: &(dyn Error + 'static)) -> String {
    let timed_out = causes(error).any(|cause| {
        cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout)
            || cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    });
    let connecting = causes(error)
        .any(|cause| cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect));
    if timed_out {
        return if connecting {
            "no connection came about".to_owned()
        } else {
            format!("the server was silent for {} s", SILENCE.as_secs())
        };
    }
    let innermost = causes(error).last().map_or_else(String::new, ToString::to_string);
    if connecting { format!("no connection: {innermost}") } else { innermost }
}

/// An error and what caused it. IO errors hide the error that they were made of from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| cause_of(error))
}

fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inside) => Some(inside),
        None => error.source(),
    }
}
