//! Jars and the jobs that are run from them.

use serde_json::{Value, json};

use super::{HANDLER, Request, text};
use crate::identifiers::JobId;
use crate::stub::answer::StubResponse;
use crate::stub::plan::JobPlan;
use crate::stub::state::{FlinkState, Submission};

pub(super) fn list_jars(flink: &FlinkState) -> StubResponse {
    let files: Vec<Value> = flink
        .jars
        .iter()
        .map(|(id, (name, uploaded))| {
            json!({"id": id, "name": name, "uploaded": uploaded, "entry": [{"name": "Main", "description": null}]})
        })
        .collect();
    StubResponse::ok(&json!({"address": "http://localhost:8081", "files": files}))
}

pub(super) fn upload_jar(flink: &mut FlinkState, request: &Request<'_>) -> StubResponse {
    // Only the head of the part is text; the jar itself is not looked at.
    let head = String::from_utf8_lossy(request.body.get(..request.body.len().min(1024)).unwrap_or_default());
    let name =
        head.split_once("filename=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
    match name {
        None => StubResponse::handler_error(400, "Exactly 1 file must be sent, received 0."),
        Some(name) if !name.to_ascii_lowercase().ends_with(".jar") => {
            StubResponse::handler_error(400, "Only Jar files are allowed.")
        }
        Some(name) => {
            let number = flink.storage.next_number();
            let id = format!("00000000-0000-0000-0000-{number:012x}_{name}");
            flink.jars.insert(id.clone(), (name.to_owned(), flink.clock().as_millisecond()));
            let filename = format!("/tmp/flink-web-upload/{id}");
            StubResponse::ok(&json!({"filename": filename, "status": "success"}))
        }
    }
}

pub(super) fn run_jar(flink: &mut FlinkState, jar: &str, request: &Request<'_>) -> StubResponse {
    let body = match request.json() {
        Ok(body) => body,
        Err(answer) => return *answer,
    };
    if !flink.jars.contains_key(jar) {
        return StubResponse::internal(
            HANDLER,
            &format!("Jar file /tmp/flink-web-upload/{jar} does not exist"),
        );
    }
    let job = match text(&body, "jobId").map(str::parse::<JobId>) {
        Some(Ok(job)) => job,
        Some(Err(_)) => return StubResponse::handler_error(400, "Request did not match expected format."),
        None => JobId::from_u128(u128::from(flink.storage.next_number()) << 64 | 2),
    };
    let restore_path = text(&body, "savepointPath").map(ToOwned::to_owned);
    let mut plan = jar_plan(flink, &body);
    if let Some(parallelism) =
        body.get("parallelism").and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok())
    {
        plan.vertices.iter_mut().for_each(|vertex| vertex.parallelism = parallelism);
    }
    let option = |key: &str| body.get("flinkConfiguration").and_then(|conf| text(conf, key));
    if let Some(retention) = option("execution.checkpointing.externalized-checkpoint-retention") {
        plan.retain_on_cancellation = retention == "RETAIN_ON_CANCELLATION";
    }
    let now = flink.clock();
    let initializing = plan.initializing;
    let missing = restore_path.clone().filter(|path| flink.storage.get(path).is_none());
    if flink.submit(Submission { job: job.clone(), plan, restore_path }, now).is_err() {
        let causes = [
            "org.apache.flink.util.FlinkException: Failed to execute job 'job'.",
            "org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.",
        ];
        return StubResponse::caused(400, "Could not execute application.", &causes);
    }
    // The adaptive scheduler looks for the savepoint after the answer.
    if let Some(path) = missing.filter(|_| !flink.settings.adaptive) {
        // The answer waits for the job to be initialized; it is FAILED then and its id is used up.
        flink.advance(now + initializing);
        let cause = format!(
            "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file system 'file'."
        );
        let causes = [
            "org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.",
            &cause,
        ];
        return StubResponse::caused(400, "Could not execute application.", &causes);
    }
    StubResponse::ok(&json!({"jobid": job.as_str()}))
}

pub(super) fn jar_plan(flink: &FlinkState, body: &Value) -> JobPlan {
    let given = body.get("programArgsList").and_then(Value::as_array);
    let mut given = given.into_iter().flatten().filter_map(Value::as_str);
    let plan = given.find_map(|argument| flink.settings.plans_by_argument.get(argument));
    plan.unwrap_or(&flink.settings.jar_plan).clone()
}

pub(super) fn delete_jar(flink: &mut FlinkState, jar: &str) -> StubResponse {
    if flink.jars.remove(jar).is_some() {
        return StubResponse::ok(&json!({}));
    }
    StubResponse::handler_error(400, &format!("File {jar} does not exist in /tmp/flink-web-upload."))
}
