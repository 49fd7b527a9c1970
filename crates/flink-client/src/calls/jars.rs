//! Calls about jars of session clusters.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;
use http::Method;

use crate::answers::{Jar, Jars, StartedJob, UploadedJar};
use crate::calls::jobs::half_an_answer;
use crate::calls::{encode, json_body};
use crate::client::FlinkCluster;
use crate::error::FlinkError;
use crate::identifiers::JobId;
use crate::requests::{JarFile, JarRun};
use crate::transport::{BodyPart, Call, RequestBody};

impl FlinkCluster {
    /// `GET /jars`: the uploaded jars.
    pub async fn list_jars(&self) -> Result<Vec<Jar>, FlinkError> {
        let answer: Jars = self.get(Call::ListJars, "/jars".to_owned()).await?;
        Ok(answer.files)
    }

    /// `POST /jars/upload`: the id of the uploaded jar. Each upload has a new id, also of the same jar.
    pub async fn upload_jar(&self, jar: &JarFile) -> Result<String, FlinkError> {
        let call = Call::UploadJar;
        let body = multipart(jar).map_err(|detail| FlinkError::Unsendable { call, detail })?;
        let answer: UploadedJar = self.exchange(call, Method::POST, "/jars/upload".to_owned(), body).await?;
        answer.id().ok_or_else(|| half_an_answer(call, "the uploaded jar has no name"))
    }

    /// `POST /jars/:jarid/run`: starts a job. Runs the jar's main method in the JobManager, which can take
    /// minutes: give it a limit of `kubernetes.operator.job.submission.timeout` (10 min).
    /// [`FlinkError::Conflict`] when the job id was used before, whether or not that job has ended.
    pub async fn run_jar(&self, jar: &str, run: &JarRun) -> Result<JobId, FlinkError> {
        let call = Call::RunJar;
        let body = json_body(call, run)?;
        let path = format!("/jars/{}/run", encode(jar));
        let answer: StartedJob = self.exchange(call, Method::POST, path, body).await?;
        Ok(answer.jobid)
    }

    /// `DELETE /jars/:jarid`. Flink calls a jar that is gone a bad request, not a missing one.
    pub async fn delete_jar(&self, jar: &str) -> Result<(), FlinkError> {
        let path = format!("/jars/{}", encode(jar));
        self.acknowledged(Call::DeleteJar, Method::DELETE, path, RequestBody::default()).await
    }
}

/// One file part, as `curl -F jarfile=@…` sends it.
fn multipart(jar: &JarFile) -> Result<RequestBody, String> {
    let (name, content) = match jar {
        JarFile::Bytes { name, content } => (name, BodyPart::Bytes(content.clone())),
        JarFile::Path { name, path } => {
            let length =
                std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
            (name, BodyPart::File { path: path.clone(), length })
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !name.to_ascii_lowercase().ends_with(".jar") || !name.chars().all(plain) {
        return Err(format!("{name:?} is not the name of a jar"));
    }
    // Random, so that no jar can hold the boundary on purpose.
    let boundary = format!("jar-{:016x}{:016x}", random(), random());
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"{name}\"\r\n\
         Content-Type: application/x-java-archive\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    Ok(RequestBody {
        content_type: Some(format!("multipart/form-data; boundary={boundary}")),
        parts: vec![BodyPart::Bytes(Bytes::from(head)), content, BodyPart::Bytes(Bytes::from(tail))],
    })
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
