//! Files of HDFS: the NameNode's REST API says which DataNode has them, and redirects there.

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};

use super::{Body, Failure, Opened, http};
use crate::guard::{Guard, Hops, Request};
use crate::plan::HdfsFile;

/// Bytes of an error's text that are looked at.
const LONGEST_ERROR: usize = 16 << 10;

/// Asks one NameNode after the other until the active one answers.
pub(super) async fn open(file: &HdfsFile, guard: &Guard) -> Result<Opened, Failure> {
    let mut last = Failure::needs_user("no NameNode is known");
    for url in &file.urls {
        // An HDFS that the operator has chosen says by itself where its DataNodes are.
        let hops = Hops { plain: true, secure: true, vouched: true };
        let request =
            Request { url, headers: HeaderMap::new(), known: None, chosen_by: file.chosen_by, hops };
        match guard.get(request).await {
            Ok(response) if response.status() == StatusCode::OK => {
                return Ok(Opened::Jar(Body { strong_tag: None, ..http::body(response) }));
            }
            Ok(response) => {
                let status = response.status().as_u16();
                let exception = exception(response).await;
                let standby = exception == "StandbyException";
                last = Failure::status(status, &exception);
                if !standby {
                    return Err(last);
                }
            }
            Err(unanswered) => last = unanswered.into(),
        }
    }
    Err(last)
}

/// The name of the Java exception in `{"RemoteException": {"exception": …}}`.
async fn exception(mut response: Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() > LONGEST_ERROR {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text);
    let name =
        text.split_once("\"exception\"").and_then(|(_, rest)| rest.split('"').nth(1)).unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).take(80).collect()
}
