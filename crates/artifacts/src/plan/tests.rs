//! Plans: what follows from a URI and a configuration.

use engine::ports::{ArtifactError, ArtifactRequest};
use lifecycle::validate::{ArtifactSettings, ChosenBy, HostList};

use super::{AzureCredentials, GcsCredentials, Object, Plan, S3Credentials, Source, Store};
use crate::options::ArtifactOptions;

const SCHEMES: [&str; 15] = [
    "https", "http", "s3", "s3a", "s3p", "gs", "abfs", "abfss", "wasb", "wasbs", "oss", "hdfs", "webhdfs",
    "file", "local",
];

fn try_plan(uri: &str, job: &[(&str, &str)], operator: &[(&str, &str)]) -> Result<Plan, ArtifactError> {
    let mut configuration: flink_conf::FlinkConf = operator.iter().copied().collect();
    configuration.overlay(&job.iter().copied().collect());
    let settings = ArtifactSettings {
        allowed_schemes: SCHEMES.map(str::to_owned).to_vec(),
        ..ArtifactSettings::default()
    };
    let operator = operator.iter().copied().collect();
    let credentials_hosts = HostList::parse(&["jars.internal", "10.0.0.7"]).unwrap();
    let options = ArtifactOptions { settings, credentials_hosts, operator, ..ArtifactOptions::default() };
    Plan::new(&ArtifactRequest { uri: uri.to_owned(), configuration }, &options)
}

fn plan(uri: &str, job: &[(&str, &str)], operator: &[(&str, &str)]) -> Plan {
    try_plan(uri, job, operator).unwrap()
}

fn error(uri: &str, job: &[(&str, &str)]) -> String {
    let error = try_plan(uri, job, &[]).err().unwrap();
    assert!(error.needs_user, "{error}");
    error.message
}

fn object(plan: &Plan) -> &Object {
    match &plan.source {
        Source::Object(object) => object,
        Source::Http(_) | Source::Hdfs(_) | Source::File(_) => panic!("no object store"),
    }
}

/// Endpoint, whether virtual hosted, region, credentials as text.
fn s3(plan: &Plan) -> (String, bool, String, String) {
    let Store::S3(bucket) = &object(plan).store else { panic!("not S3") };
    let credentials = match &bucket.credentials {
        S3Credentials::Keys { id, secret, token } => {
            format!("{id}:{secret}:{}", token.as_deref().unwrap_or_default())
        }
        S3Credentials::Ambient => "ambient".to_owned(),
        S3Credentials::Anonymous => "anonymous".to_owned(),
    };
    (bucket.endpoint.url.clone(), bucket.endpoint.virtual_hosted, bucket.region.clone(), credentials)
}

fn headers(plan: &Plan) -> Vec<(String, String)> {
    let Source::Http(file) = &plan.source else { panic!("not HTTP") };
    let text = |value: &http::HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
    file.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[test]
fn names_of_files() {
    for (uri, name) in [
        ("https://a/b/job.jar", "job.jar"),
        ("https://a/b/job%201.jar?token=x", "job_201.jar"),
        ("https://a", "job.jar"),
        ("https://a/download?id=5", "download.jar"),
        ("https://a/..", "job.jar"),
        ("s3://b/k/My_Job-1.0.jar", "My_Job-1.0.jar"),
    ] {
        assert_eq!(plan(uri, &[], &[]).uri.file_name(), name, "{uri}");
    }
}

#[test]
fn what_is_shown_of_a_uri_has_no_secrets() {
    for uri in
        ["https://user:secret@host:8443/a/b.jar?token=secret#secret", "https://user:secret@host?token=secret"]
    {
        let shown = plan(uri, &[], &[]).uri.to_string();
        assert!(shown.starts_with("https://host") && !shown.contains("secret"), "{shown}");
    }
    assert!(!error("ftp://user:secret@host/a.jar?secret", &[]).contains("secret@"), "an unknown scheme");
}

#[test]
fn uris_that_cannot_be_used() {
    for (uri, part) in [
        ("job.jar", "not a whole URI"),
        ("ftp://a/b.jar", "not allowed"),
        ("s3:///b.jar", "no bucket"),
        ("s3://bucket", "no file"),
        ("s3://bucket/folder/", "no file"),
        ("s3://buc%2fket/a.jar", "no bucket"),
        ("abfss://account.dfs.core.windows.net/a.jar", "form"),
        ("abfss://c@account/a.jar", "form"),
        ("oss://bucket/a.jar", "fs.oss.endpoint"),
        ("hdfs:///a.jar", "NameNode"),
        ("file://host/a.jar", "file:///"),
        ("https:///a.jar", "host"),
    ] {
        let message = error(uri, &[]);
        assert!(message.contains(part), "{uri}: {message}");
    }
}

#[test]
fn schemes_of_the_operator_count_and_not_those_of_a_job() {
    let options = ArtifactOptions::default();
    let configuration = [("kubernetes.operator.user.artifacts.allowed-schemes", "s3")].into_iter().collect();
    let request = ArtifactRequest { uri: "s3://b/a.jar".to_owned(), configuration };
    assert!(Plan::new(&request, &options).err().unwrap().message.contains("not allowed"));
}

#[test]
fn checksums() {
    const KEY: &str = "kubernetes.operator.user.artifacts.checksum";
    let sum = format!("sha256:{}", "0aF".repeat(21) + "1");
    let planned = plan("https://a/b.jar", &[(KEY, &sum)], &[]);
    let checksum = planned.checksum.unwrap();
    assert_eq!(checksum.text(checksum.expected()), sum.to_ascii_lowercase());
    for wrong in ["sha256:12", "md5:d41d8cd98f00b204e9800998ecf8427e", "x", &"0".repeat(64)] {
        assert!(error("https://a/b.jar", &[(KEY, wrong)]).contains("sha256"), "{wrong}");
    }
}

#[test]
fn http_credentials() {
    const PREFIX: &str = "kubernetes.operator.user.artifacts.http.";
    let key = |name: &str| format!("{PREFIX}{name}");
    let (header, username, password, bearer) =
        (key("header"), key("username"), key("password"), key("bearer-token"));
    let job = [(header.as_str(), "X-Key:1,Authorization:own")];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        headers(&plan("https://a/b.jar", &job, &[])),
        [pair("authorization", "own"), pair("x-key", "1")]
    );
    let job = [(username.as_str(), "Aladdin"), (password.as_str(), "open sesame")];
    let expected = [pair("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")];
    assert_eq!(headers(&plan("https://a/b.jar", &job, &[])), expected);
    assert_eq!(headers(&plan("https://Aladdin:open%20sesame@a/b.jar", &[], &[])), expected);
    assert_eq!(
        headers(&plan("https://a/b.jar", &[(bearer.as_str(), "t")], &[])),
        [pair("authorization", "Bearer t")]
    );
    for bad in ["Host:evil", "a b:c", "If-None-Match:x"] {
        assert!(error("https://a/b.jar", &[(header.as_str(), bad)]).contains("cannot be sent"), "{bad}");
    }
}

#[test]
fn http_credentials_of_the_operator_go_only_where_it_says() {
    let operator = [("kubernetes.operator.user.artifacts.http.bearer-token", "secret")];
    let elsewhere = plan("https://evil.example.com/b.jar", &[], &operator);
    assert!(headers(&elsewhere).is_empty() && elsewhere.withheld);
    for named in ["https://jars.internal/b.jar", "https://10.0.0.7/b.jar"] {
        let named = plan(named, &[], &operator);
        assert!(headers(&named).len() == 1 && !named.withheld);
    }
}

#[test]
fn s3_places() {
    let place = |uri, job: &[(&str, &str)]| {
        let plan = plan(uri, job, &[]);
        let (url, virtual_hosted, region, _) = s3(&plan);
        (url, virtual_hosted, region, object(&plan).chosen_by)
    };
    let (vendor, job) = (ChosenBy::Operator, ChosenBy::Job);
    for (uri, conf, url, virtual_hosted, region, by) in [
        ("s3://b/a", &[][..], "https://b.s3.us-east-1.amazonaws.com", true, "us-east-1", vendor),
        (
            "s3a://b.c/a",
            &[("s3.endpoint.region", "eu-west-1")],
            "https://s3.eu-west-1.amazonaws.com",
            false,
            "eu-west-1",
            vendor,
        ),
        (
            "s3://b/a",
            &[("s3.endpoint.region", "cn-north-1")],
            "https://b.s3.cn-north-1.amazonaws.com.cn",
            true,
            "cn-north-1",
            vendor,
        ),
        (
            "s3://b/a",
            &[("s3.endpoint", "s3.eu-west-1.amazonaws.com")],
            "https://b.s3.eu-west-1.amazonaws.com",
            true,
            "eu-west-1",
            vendor,
        ),
        (
            "s3p://b/a",
            &[("s3.endpoint", "http://minio:9000/")],
            "http://b.minio:9000",
            true,
            "us-east-1",
            job,
        ),
        (
            "s3://b/a",
            &[("s3.endpoint", "http://minio:9000"), ("s3.path.style.access", "true")],
            "http://minio:9000",
            false,
            "us-east-1",
            job,
        ),
        (
            "s3://b/a",
            &[("fs.s3a.endpoint", "10.0.0.1:9000")],
            "https://10.0.0.1:9000",
            false,
            "us-east-1",
            job,
        ),
        (
            "s3://b/a",
            &[("s3.bucket.b.endpoint", "http://one"), ("s3.endpoint", "http://other")],
            "http://b.one",
            true,
            "us-east-1",
            job,
        ),
    ] {
        assert_eq!(
            place(uri, conf),
            (url.to_owned(), virtual_hosted, region.to_owned(), by),
            "{uri} {conf:?}"
        );
    }
}

#[test]
fn others_cannot_pretend_to_be_a_vendor() {
    for endpoint in [
        "http://s3.eu-west-1.amazonaws.com",
        "https://s3.eu-west-1.amazonaws.com:444",
        "https://s3.evil.com",
        "https://ec2-1-2-3-4.compute.amazonaws.com",
        "https://x.execute-api.eu-west-1.amazonaws.com",
        "https://evil-s3.amazonaws.com",
    ] {
        let plan = plan("s3://b/a", &[("s3.endpoint", endpoint)], &[]);
        assert_eq!(object(&plan).chosen_by, ChosenBy::Job, "{endpoint}");
        assert_eq!(s3(&plan).3, "anonymous", "{endpoint}");
    }
    assert!(error("s3://b/a", &[("s3.endpoint.region", "x@evil.com/?")]).contains("no region"));
    assert!(error("s3://b/a", &[("s3.endpoint.region", "evil.com")]).contains("no region"));
}

#[test]
fn s3_credentials_go_with_their_endpoint() {
    let keys = [("s3.access-key", "id"), ("s3.secret-key", "secret")];
    let endpoint = [("s3.endpoint", "http://minio")];
    let credentials = |job: &[(&str, &str)], operator: &[(&str, &str)]| {
        let plan = plan("s3://b/a", job, operator);
        (s3(&plan).3, plan.withheld)
    };
    let yes = ("id:secret:".to_owned(), false);
    assert_eq!(credentials(&keys, &[]), yes);
    assert_eq!(credentials(&[], &keys), yes, "the operator's keys at Amazon's");
    assert_eq!(
        credentials(&[keys[0], keys[1], endpoint[0]], &[]),
        yes,
        "the job's keys at the job's endpoint"
    );
    assert_eq!(credentials(&[], &[keys[0], keys[1], endpoint[0]]), yes, "all is the operator's");
    assert_eq!(credentials(&keys, &endpoint), yes, "the job's keys at the operator's endpoint");
    let no = ("anonymous".to_owned(), true);
    assert_eq!(credentials(&endpoint, &keys), no, "the operator's keys at the job's endpoint");
    assert_eq!(credentials(&[keys[0], endpoint[0]], &[keys[1]]), no, "a part of them");
    assert_eq!(credentials(&endpoint, &[]), no, "the pod's role at the job's endpoint");
    assert_eq!(credentials(&[], &endpoint), ("ambient".to_owned(), false));
    let anonymous =
        [("fs.s3a.aws.credentials.provider", "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider")];
    assert_eq!(credentials(&anonymous, &[]), ("anonymous".to_owned(), false));
    let token = [("s3.access.key", "i"), ("fs.s3a.secret.key", "s"), ("fs.s3a.session.token", "t")];
    assert_eq!(credentials(&token, &[]).0, "i:s:t");
}

#[test]
fn gcs() {
    let credentials = |job: &[(&str, &str)], operator: &[(&str, &str)]| {
        let plan = plan("gs://bucket_1/a.jar", job, operator);
        let Store::Gcs(bucket) = &object(&plan).store else { panic!("not GCS") };
        let credentials = match &bucket.credentials {
            GcsCredentials::Json(text) => text.clone(),
            GcsCredentials::KeyFile(path) => path.display().to_string(),
            GcsCredentials::Ambient => "ambient".to_owned(),
            GcsCredentials::Anonymous => "anonymous".to_owned(),
        };
        (bucket.base_url.clone(), credentials, object(&plan).chosen_by)
    };
    let google = "https://storage.googleapis.com".to_owned();
    assert_eq!(credentials(&[], &[]), (google.clone(), "ambient".to_owned(), ChosenBy::Operator));
    let json = [("gs.auth.service.account.json", "{}")];
    assert_eq!(credentials(&json, &[]).1, "{}");
    let root = [("gs.storage.root.url", "http://fake:4443/")];
    assert_eq!(
        credentials(&root, &json),
        ("http://fake:4443".to_owned(), "anonymous".to_owned(), ChosenBy::Job)
    );
    assert_eq!(
        credentials(&[], &root),
        ("http://fake:4443".to_owned(), "ambient".to_owned(), ChosenBy::Operator)
    );
    let file = [("fs.gs.auth.service.account.json.keyfile", "/etc/passwd")];
    assert_eq!(credentials(&[], &file).1, "/etc/passwd");
    assert!(error("gs://b/a.jar", &file).contains("key file"));
}

#[test]
fn azure() {
    const URI: &str = "abfss://c@acc.dfs.core.windows.net/f/a.jar";
    let found = |uri: &str, job: &[(&str, &str)], operator: &[(&str, &str)]| {
        let plan = plan(uri, job, operator);
        let Store::Azure(container) = &object(&plan).store else { panic!("not Azure") };
        let credentials = match &container.credentials {
            AzureCredentials::AccountKey(key) => format!("key {key}"),
            AzureCredentials::Sas(query) => format!("sas {query}"),
            AzureCredentials::Client { id, secret, tenant, authority } => {
                format!("client {id} {secret} {tenant} {authority}")
            }
            AzureCredentials::Ambient => "ambient".to_owned(),
            AzureCredentials::Anonymous => "anonymous".to_owned(),
        };
        (container.endpoint.clone(), credentials, object(&plan).chosen_by)
    };
    let own = "https://acc.blob.core.windows.net";
    let at = |url: &str, credentials: &str, by| (url.to_owned(), credentials.to_owned(), by);
    assert_eq!(found(URI, &[], &[]), at(own, "ambient", ChosenBy::Operator));
    for key in [
        "fs.azure.account.key.acc.dfs.core.windows.net",
        "fs.azure.account.key.acc.blob.core.windows.net",
        "azure.account.key.acc.dfs.core.windows.net",
        "fs.azure.account.key",
    ] {
        for uri in [URI, "wasb://c@acc.blob.core.windows.net/f/a.jar"] {
            assert_eq!(found(uri, &[(key, "k")], &[]), at(own, "key k", ChosenBy::Operator), "{key} {uri}");
        }
    }
    assert_eq!(found(URI, &[("fs.azure.sas.c.acc.blob.core.windows.net", "?sv=1")], &[]).1, "sas sv=1");
    let client = [
        ("fs.azure.account.auth.type", "OAuth"),
        ("fs.azure.account.oauth2.client.id", "i"),
        ("fs.azure.account.oauth2.client.secret", "s"),
        ("fs.azure.account.oauth2.client.endpoint", "https://login.microsoftonline.com/tenant/oauth2/token"),
    ];
    assert_eq!(found(URI, &client, &[]).1, "client i s tenant https://login.microsoftonline.com");
    let mut evil = client;
    evil[3].1 = "https://evil.com/tenant/oauth2/token";
    assert!(error(URI, &evil).contains("not known to hand out"));
    assert_eq!(found(URI, &[], &evil).1, "client i s tenant https://evil.com", "the operator may");

    let elsewhere = "abfss://c@acc.dfs.evil.com/a.jar";
    let key = [("fs.azure.account.key", "k")];
    assert_eq!(found(elsewhere, &[], &key), at("https://acc.blob.evil.com", "anonymous", ChosenBy::Job));
    assert_eq!(found(elsewhere, &key, &[]), at("https://acc.blob.evil.com", "key k", ChosenBy::Job));
    let emulator = [("fs.azure.account.endpoint", "http://azurite:10000/acc")];
    assert_eq!(found(URI, &emulator, &key), at("http://azurite:10000/acc", "anonymous", ChosenBy::Job));
    assert_eq!(found(URI, &key, &emulator), at("http://azurite:10000/acc", "key k", ChosenBy::Operator));
}

#[test]
fn oss() {
    let keys = [("fs.oss.accessKeyId", "id"), ("fs.oss.accessKeySecret", "secret")];
    for (endpoint, url, by) in [
        ("oss-cn-hangzhou.aliyuncs.com", "https://b.s3.oss-cn-hangzhou.aliyuncs.com", ChosenBy::Operator),
        (
            "http://oss-cn-hangzhou-internal.aliyuncs.com",
            "https://b.s3.oss-cn-hangzhou-internal.aliyuncs.com",
            ChosenBy::Operator,
        ),
        ("http://10.0.0.1:9000", "http://10.0.0.1:9000", ChosenBy::Job),
        ("oss-x.evil.aliyuncs.com.evil.com", "https://b.oss-x.evil.aliyuncs.com.evil.com", ChosenBy::Job),
    ] {
        let plan = plan("oss://b/a.jar", &[("fs.oss.endpoint", endpoint)], &keys);
        let (found, _, region, credentials) = s3(&plan);
        assert_eq!((found.as_str(), object(&plan).chosen_by), (url, by));
        let expected =
            if by == ChosenBy::Job { ("us-east-1", "anonymous") } else { ("cn-hangzhou", "id:secret:") };
        assert_eq!((region.as_str(), credentials.as_str()), expected);
    }
}

#[test]
fn hdfs() {
    let urls = |uri: &str, job: &[(&str, &str)], operator: &[(&str, &str)]| {
        let Source::Hdfs(file) = plan(uri, job, operator).source else { panic!("not HDFS") };
        let urls: Vec<String> = file.urls.iter().map(ToString::to_string).collect();
        (urls, file.chosen_by)
    };
    let one = |url: &str, by| (vec![url.to_owned()], by);
    let (job, operator) = (ChosenBy::Job, ChosenBy::Operator);
    assert_eq!(
        urls("hdfs://nn:8020/d/a.jar", &[], &[]),
        one("http://nn:9870/webhdfs/v1/d/a.jar?op=OPEN", job)
    );
    assert_eq!(
        urls("webhdfs://nn:50070/d/a.jar", &[], &[]),
        one("http://nn:50070/webhdfs/v1/d/a.jar?op=OPEN", job)
    );
    assert_eq!(
        urls("hdfs:///a.jar", &[], &[("fs.default-scheme", "hdfs://nn:8020")]),
        one("http://nn:9870/webhdfs/v1/a.jar?op=OPEN", operator)
    );
    assert_eq!(
        urls("hdfs://nn/a.jar", &[("kubernetes.operator.user.artifacts.webhdfs.user", "me & you")], &[]),
        one("http://nn:9870/webhdfs/v1/a.jar?op=OPEN&user.name=me+%26+you", job)
    );
    let operators = [("kubernetes.operator.user.artifacts.webhdfs.delegation-token", "secret")];
    assert_eq!(
        urls("hdfs://evil/a.jar", &[], &operators),
        one("http://evil:9870/webhdfs/v1/a.jar?op=OPEN", job)
    );
    assert_eq!(
        urls("webhdfs://jars.internal/a.jar", &[], &operators),
        one("http://jars.internal:9870/webhdfs/v1/a.jar?op=OPEN&delegation=secret", job)
    );
    let ha = [
        ("flink.hadoop.dfs.ha.namenodes.ns", "nn1, nn2"),
        ("flink.hadoop.dfs.namenode.http-address.ns.nn1", "a:1"),
        ("flink.hadoop.dfs.namenode.http-address.ns.nn2", "b:2"),
    ];
    let both = vec![
        "http://a:1/webhdfs/v1/a.jar?op=OPEN".to_owned(),
        "http://b:2/webhdfs/v1/a.jar?op=OPEN".to_owned(),
    ];
    assert_eq!(urls("hdfs://ns/a.jar", &[], &ha), (both, operator));
}
