//! Opens what a plan names, so that it can be read bit by bit.

mod failure;
mod file;
mod hdfs;
mod http;
mod object;
mod stores;

use std::sync::Arc;

use bytes::Bytes;
use engine::ports::ArtifactError;
use futures::stream::BoxStream;

pub(crate) use failure::{Failure, because};
pub(crate) use file::{check_file, too_large};

use crate::guard::{Guard, Hops};
use crate::options::ArtifactOptions;
use crate::plan::{Plan, Source};

/// What a server has.
pub(crate) enum Opened {
    /// What was there before: it has the entity tag that we named.
    Unchanged,
    /// A jar.
    Jar(Body),
}

/// A jar that is still on its way.
pub(crate) struct Body {
    pub(crate) chunks: BoxStream<'static, Result<Bytes, Failure>>,
    /// What the server says about its size.
    pub(crate) length: Option<u64>,
    /// Names its content: no other content has it.
    pub(crate) strong_tag: Option<String>,
}

/// Asks the server for a jar. `known`: the tag of the one that we have.
///
/// # Errors
/// The server does not answer with a jar, or may not be asked.
pub(crate) async fn open(
    plan: &Plan,
    known: Option<&str>,
    guard: &Arc<Guard>,
    options: &ArtifactOptions,
) -> Result<Opened, ArtifactError> {
    let opened = match &plan.source {
        Source::Http(file) => {
            let hops = Hops {
                plain: options.settings.allows_scheme("http"),
                secure: options.settings.allows_scheme("https"),
                vouched: false,
            };
            http::open(file, known, guard, hops).await
        }
        Source::Hdfs(file) => hdfs::open(file, guard).await,
        Source::Object(object) => object::open(object, known, guard, options).await,
        Source::File(_) => Err(Failure::needs_user("it is a file of this machine")),
    };
    opened.map_err(|failure| because(plan, failure))
}

/// A tag that stands for exactly one content. Weak ones (`W/"…"`) stand for contents that mean the same.
fn strong(tag: &str) -> Option<String> {
    let quoted = tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"');
    quoted.then(|| tag.to_owned())
}
