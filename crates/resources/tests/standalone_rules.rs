//! Rules of standalone clusters that no recording covers.

#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

mod rules;

use kube_core::DynamicObject;
use resources::{ATTEMPT_ANNOTATION, BuildError, ClusterObjects, OperatorFiles};
use rules::{Attempt, JOB_ID, data, dependent, main_container_of, names, option, pod_of};
use serde_json::{Value, json};

fn standalone(additions: &Value) -> Value {
    let mut additions = additions.clone();
    additions["mode"] = json!("standalone");
    additions
}

fn build(additions: &Value) -> Result<ClusterObjects, BuildError> {
    rules::build(&standalone(additions))
}

fn error(additions: &Value) -> String {
    build(additions).unwrap_err().to_string()
}

fn with_options(options: &Value) -> ClusterObjects {
    build(&json!({"flinkConfiguration": options})).unwrap()
}

fn session(options: &Value) -> Result<ClusterObjects, BuildError> {
    build(&json!({"job": null, "flinkConfiguration": options}))
}

fn job(job: &Value) -> ClusterObjects {
    let mut complete = json!({"jarURI": "local:///job.jar", "parallelism": 1});
    for (field, value) in job.as_object().unwrap() {
        complete[field] = value.clone();
    }
    build(&json!({"job": complete})).unwrap()
}

fn task_managers(cluster: &ClusterObjects) -> &DynamicObject {
    cluster.task_managers.as_ref().unwrap()
}

/// Both, the JobManager's first.
fn deployments(cluster: &ClusterObjects) -> impl Iterator<Item = &DynamicObject> {
    std::iter::once(&cluster.deployment).chain(&cluster.task_managers)
}

fn arguments(deployment: &DynamicObject) -> Vec<&str> {
    main_container_of(deployment)["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

fn replicas(cluster: &ClusterObjects) -> &Value {
    &task_managers(cluster).data["spec"]["replicas"]
}

fn cpu_of_task_managers(options: &Value) -> Value {
    let cluster = with_options(options);
    main_container_of(task_managers(&cluster))["resources"]["requests"]["cpu"].clone()
}

const HA: [(&str, &str); 2] =
    [("high-availability.type", "kubernetes"), ("high-availability.storageDir", "s3://b/ha")];

fn ha() -> Value {
    HA.into_iter().collect()
}

const JOB_MANAGER_ADDRESS: [&str; 2] = ["-D", "jobmanager.rpc.address=$(_POD_IP_ADDRESS)"];

#[test]
fn both_deployments_carry_the_attempt_and_task_managers_go_with_their_job_manager() {
    let cluster = build(&json!({})).unwrap();
    let found: Vec<_> = deployments(&cluster).map(|it| it.metadata.name.as_deref().unwrap()).collect();
    assert_eq!(found, ["my-app", "my-app-taskmanager"]);
    assert_eq!(cluster.attempt(), Some("attempt-1"));
    for deployment in deployments(&cluster) {
        assert_eq!(deployment.metadata.annotations.as_ref().unwrap()[ATTEMPT_ANNOTATION], "attempt-1");
        let of_pod = &deployment.data["spec"]["template"]["metadata"];
        assert!(of_pod.pointer("/annotations/flinkdeployment.flink.apache.org~1attempt").is_none());
    }
    let dependents = cluster.dependents_owned_by("jm");
    let last = dependents.last().unwrap();
    assert_eq!(last.metadata.name.as_deref(), Some("my-app-taskmanager"), "its pods mount what comes before");
    let owners = last.metadata.owner_references.as_ref().unwrap();
    assert_eq!((owners[0].kind.as_str(), owners[0].uid.as_str()), ("Deployment", "jm"));
    assert_eq!((owners.len(), owners[0].block_owner_deletion), (1, Some(true)), "gone before its owner is");
    assert!(
        rules::build(&json!({})).unwrap().task_managers.is_none(),
        "Flink makes those of native clusters"
    );
}

#[test]
fn options_of_native_clusters_are_not_in_the_configuration() {
    let cluster = build(&json!({})).unwrap();
    for (key, expected) in [
        ("execution.target", Some("remote")),
        ("kubernetes.internal.cluster-mode", Some("APPLICATION")),
        ("pipeline.classpaths", Some("file:///job.jar")),
        ("$internal.pipeline.job-id", Some(JOB_ID)),
        ("pipeline.jars", None),
        ("internal.cluster.execution-mode", None),
        ("kubernetes.internal.jobmanager.entrypoint.class", None),
    ] {
        assert_eq!(option(&cluster, key), expected, "{key}");
    }
}

#[test]
fn numbers_of_task_managers() {
    let slots = json!({"taskmanager.numberOfTaskSlots": "3"});
    let with_parallelism = |parallelism: i32, options: &Value| {
        let job = json!({"jarURI": "local:///job.jar", "parallelism": parallelism});
        build(&json!({"job": job, "flinkConfiguration": options})).unwrap()
    };
    assert_eq!(replicas(&with_parallelism(6, &slots)), 2);
    assert_eq!(replicas(&with_parallelism(7, &slots)), 3);
    // The autoscaler's parallelism counts for the job, so it does for its slots.
    let overrides = json!({"pipeline.jobvertex-parallelism-overrides": "aa:5,bb:9"});
    assert_eq!(replicas(&with_parallelism(2, &overrides)), 9);
    let given = json!({"replicas": 4, "resource": {"memory": "2048m"}});
    let cluster = build(&json!({"taskManager": given, "flinkConfiguration": slots})).unwrap();
    assert_eq!(replicas(&cluster), 4);
    assert_eq!(option(&cluster, "parallelism.default"), Some("12"));
    // A session cluster knows nothing of its jobs.
    assert_eq!(replicas(&session(&slots).unwrap()), 1);
    let three = json!({"kubernetes.internal.taskmanager.replicas": "3"});
    assert_eq!(replicas(&session(&three).unwrap()), 3);
}

/// The spec of such an application is refused by validation already.
#[test]
fn only_session_clusters_are_without_task_managers() {
    let number = |replicas: &str| json!({"kubernetes.internal.taskmanager.replicas": replicas});
    let message = |least: i32| {
        format!("'kubernetes.internal.taskmanager.replicas' should not be configured less than {least}.")
    };
    assert_eq!(replicas(&session(&number("0")).unwrap()), 0);
    assert_eq!(session(&number("-1")).unwrap_err().to_string(), message(0));
    assert_eq!(error(&json!({"flinkConfiguration": number("0")})), message(1));
}

#[test]
fn reactive_clusters_get_the_task_managers_of_their_parallelism() {
    let job = json!({"jarURI": "local:///job.jar", "parallelism": 4});
    let options = json!({"scheduler-mode": "reactive", "taskmanager.numberOfTaskSlots": "2"});
    let cluster = build(&json!({"job": job, "flinkConfiguration": options})).unwrap();
    assert_eq!(replicas(&cluster), 2);
    assert_eq!(option(&cluster, "scheduler-mode"), Some("reactive"));
    assert_eq!(option(&cluster, "parallelism.default"), Some("4"));
}

#[test]
fn high_availability_keeps_the_internal_service_and_tells_each_job_managers_own_address() {
    for version in ["v1_20", "v2_0", "v2_2"] {
        let additions = json!({"flinkVersion": version, "flinkConfiguration": ha()});
        let application = build(&additions).unwrap();
        assert!(dependent(&application, "my-app").is_some());
        assert_eq!(arguments(&application.deployment)[1..], JOB_MANAGER_ADDRESS);
        let mut of_session = additions.clone();
        of_session["job"] = Value::Null;
        let session = build(&of_session).unwrap();
        let [flag, address] = JOB_MANAGER_ADDRESS;
        assert_eq!(arguments(&session.deployment), ["jobmanager", flag, address]);
        for deployment in [task_managers(&application), task_managers(&session)] {
            assert_eq!(arguments(deployment), ["taskmanager"]);
        }
    }
    let cluster = with_options(&ha());
    // For TaskManagers of a cluster whose leader is not elected yet.
    assert_eq!(option(&cluster, "jobmanager.rpc.address"), Some("my-app.ns"));
    assert_eq!(option(&cluster, "high-availability.cluster-id"), Some("my-app"));
    assert_eq!(option(&cluster, "high-availability.jobmanager.port"), Some("6123"));
    let results = Some("s3://b/ha/job-result-store/my-app/attempt-1");
    assert_eq!(option(&cluster, "job-result-store.storage-path"), results);
    let standby = json!({"jobManager": {"replicas": 2, "resource": {"memory": "2048m"}}});
    assert_eq!(error(&standby), "High availability should be enabled when starting standby JobManagers.");
}

#[test]
fn the_file_of_the_configuration_is_the_versions_own_in_both_pods() {
    for (version, file) in [("v1_20", "flink-conf.yaml"), ("v2_2", "config.yaml")] {
        let cluster = build(&json!({"flinkVersion": version})).unwrap();
        assert!(!data(&cluster, "flink-config-my-app", file).is_empty());
        for deployment in deployments(&cluster) {
            let volumes = pod_of(deployment)["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| volume["name"] == "flink-config-volume").unwrap();
            let items = volume["configMap"]["items"].as_array().unwrap();
            assert_eq!(items.last().unwrap()["key"], file);
        }
    }
}

#[test]
fn a_job_is_restored_by_arguments_that_stand_before_its_own() {
    let spec = standalone(&json!({
        "job": {
            "jarURI": "local:///job.jar", "parallelism": 1, "entryClass": "a.B", "allowNonRestoredState": true,
            "args": ["--x", "y"],
        },
        "flinkConfiguration": {"execution.state-recovery.path": "s3://of-the-user"},
    }));
    let attempt = Attempt { restore_path: Some("s3://recorded"), ..Attempt::default() };
    let cluster = rules::build_with(&spec, &attempt).unwrap();
    let expected = [
        "standalone-job",
        "--job-classname",
        "a.B",
        "--allowNonRestoredState",
        "--fromSavepoint",
        "s3://recorded",
        "--x",
        "y",
    ];
    assert_eq!(arguments(&cluster.deployment), expected);
    assert_eq!(option(&cluster, "execution.savepoint.path"), Some("s3://recorded"));
    assert_eq!(option(&cluster, "execution.state-recovery.path"), None);
    let from_nothing = rules::build_with(&spec, &Attempt::default()).unwrap();
    assert!(!arguments(&from_nothing.deployment).contains(&"--fromSavepoint"));
}

/// Flink writes over the option what its arguments say.
#[test]
fn state_that_is_not_restored_may_be_allowed_by_an_option() {
    for key in
        ["execution.state-recovery.ignore-unclaimed-state", "execution.savepoint.ignore-unclaimed-state"]
    {
        let cluster = with_options(&json!({key: "true"}));
        assert_eq!(arguments(&cluster.deployment), ["standalone-job", "--allowNonRestoredState"], "{key}");
    }
    assert_eq!(arguments(&job(&json!({"allowNonRestoredState": false})).deployment), ["standalone-job"]);
}

#[test]
fn arguments_of_the_job_that_look_like_flinks_reach_the_job() {
    let cluster = job(&json!({"args": ["--config", "/etc/job.yaml"]}));
    assert_eq!(arguments(&cluster.deployment), ["standalone-job", "--", "--config", "/etc/job.yaml"]);
    let cluster = job(&json!({"args": ["-D", "rest.port=1", "--from", "2024"]}));
    let expected = ["standalone-job", "-D", "rest.port=1", "--", "--from", "2024"];
    assert_eq!(arguments(&cluster.deployment), expected);
    let plain = ["in.txt", "--config", "", "a b;'c'"];
    let cluster = job(&json!({"args": plain}));
    assert_eq!(arguments(&cluster.deployment)[1..], plain);
}

#[test]
fn jars_of_the_image_are_not_hidden() {
    let volumes = |cluster: &ClusterObjects| -> bool {
        names(&pod_of(&cluster.deployment)["volumes"]).contains(&"user-lib-dir")
    };
    let jar = |uri: &str, entry_class: Option<&str>| {
        let mut fields = json!({"jarURI": uri});
        if let Some(class) = entry_class {
            fields["entryClass"] = json!(class);
        }
        job(&fields)
    };
    let elsewhere = jar("local:///opt/flink/examples/job.jar", None);
    assert!(volumes(&elsewhere));
    let mounts = main_container_of(&elsewhere.deployment)["volumeMounts"].as_array().unwrap();
    assert_eq!(mounts.last().unwrap(), &json!({"name": "user-lib-dir", "mountPath": "/opt/flink/usrlib"}));
    assert!(volumes(&jar("local:///opt/flink/usrlib-of-another/job.jar", None)));
    for uri in [
        "local:///opt/flink/usrlib/job.jar",
        "file:/opt/flink/usrlib/job.jar",
        "local:/opt/flink/usrlib/a/b.jar",
    ] {
        // Without an entry class Flink looks for one in all jars, and finds two if it is told of this one again.
        let found = jar(uri, None);
        assert!(!volumes(&found), "{uri}");
        assert_eq!(option(&found, "pipeline.classpaths"), None, "{uri}");
        let named = jar(uri, Some("a.B"));
        assert!(!volumes(&named), "{uri}");
        assert!(option(&named, "pipeline.classpaths").is_some(), "{uri}");
    }
    let mounted = json!({"spec": {"containers": [{
        "name": "flink-main-container", "volumeMounts": [{"name": "jars", "mountPath": "/opt/flink/usrlib/lib"}],
    }]}});
    assert!(!volumes(&build(&json!({"podTemplate": mounted})).unwrap()));
    assert!(!volumes(&session(&json!({})).unwrap()));
    assert!(!volumes(&session(&json!({"pipeline.classpaths": "file:///a.jar"})).unwrap()));
}

#[test]
fn a_job_without_a_jar_is_on_the_images_class_path() {
    let cluster = build(&json!({"job": {"entryClass": "a.B", "parallelism": 1}})).unwrap();
    assert_eq!(option(&cluster, "pipeline.classpaths"), None);
    assert_eq!(arguments(&cluster.deployment), ["standalone-job", "--job-classname", "a.B"]);
}

#[test]
fn cpu_of_task_managers_that_nobody_said() {
    assert_eq!(cpu_of_task_managers(&json!({})), "1.0");
    assert_eq!(cpu_of_task_managers(&json!({"taskmanager.numberOfTaskSlots": "4"})), "4.0");
    let cores = json!({"taskmanager.numberOfTaskSlots": "4", "taskmanager.cpu.cores": "1.5"});
    assert_eq!(cpu_of_task_managers(&cores), "1.5");
    let amount = json!({"taskmanager.cpu.cores": "1.5", "kubernetes.taskmanager.cpu.amount": "0.5"});
    assert_eq!(cpu_of_task_managers(&amount), "0.5");
    // The option's default, written out.
    assert_eq!(cpu_of_task_managers(&json!({"kubernetes.taskmanager.cpu.amount": "-1.0"})), "1.0");
    let factor = json!({"flinkConfiguration": {"kubernetes.taskmanager.memory.limit-factor": "0.5"}});
    let message = "kubernetes.taskmanager.memory.limit-factor should be greater or equal to 1.";
    assert_eq!(error(&factor), message);
}

#[test]
fn image_and_service_account_of_task_managers_follow_the_rules_of_job_managers() {
    let template = json!({"spec": {
        "serviceAccountName": "of-template",
        "containers": [{"name": "flink-main-container", "image": "of-template", "imagePullPolicy": "Never"}],
    }});
    let of = |cluster: &ClusterObjects| -> Vec<[String; 3]> {
        let part = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let of = |it: &DynamicObject| {
            let main = main_container_of(it);
            [part(main, "image"), part(main, "imagePullPolicy"), part(pod_of(it), "serviceAccountName")]
        };
        deployments(cluster).map(of).collect()
    };
    let all = |image: &str, policy: &str, account: &str| {
        vec![[image.to_owned(), policy.to_owned(), account.to_owned()]; 2]
    };
    let cluster = build(&json!({"podTemplate": template, "serviceAccount": null})).unwrap();
    assert_eq!(of(&cluster), all("of-template", "Never", "of-template"));
    let cluster =
        build(&json!({"podTemplate": template, "image": "of-spec", "imagePullPolicy": "Always"})).unwrap();
    assert_eq!(of(&cluster), all("of-spec", "Always", "flink"));
    let cluster = build(&json!({"serviceAccount": null, "flinkVersion": "v2_1"})).unwrap();
    assert_eq!(of(&cluster), all("apache/flink:2.1-scala_2.12", "IfNotPresent", "default"));
    let own = with_options(&json!({"kubernetes.taskmanager.service-account": "own"}));
    assert_eq!(of(&own)[1][2], "own");
    assert_eq!(of(&own)[0][2], "flink");
}

#[test]
fn labels_of_users_do_not_break_selectors() {
    let labels = "app:evil,component:evil,type:evil,team:a";
    let cluster = with_options(
        &json!({"kubernetes.jobmanager.labels": labels, "kubernetes.taskmanager.labels": labels}),
    );
    for deployment in deployments(&cluster) {
        let selector = deployment.data["spec"]["selector"]["matchLabels"].as_object().unwrap();
        let of_pod = &deployment.data["spec"]["template"]["metadata"]["labels"];
        assert!(selector.iter().all(|(key, value)| &of_pod[key] == value), "{selector:?} {of_pod}");
        assert_eq!(of_pod["team"], "a");
    }
}

#[test]
fn a_session_clusters_arguments_follow_those_of_the_template() {
    let template =
        json!({"spec": {"containers": [{"name": "flink-main-container", "args": ["/wrapper.sh"]}]}});
    let cluster = build(&json!({"job": null, "podTemplate": template})).unwrap();
    assert_eq!(arguments(&cluster.deployment), ["/wrapper.sh", "jobmanager"]);
    assert_eq!(arguments(task_managers(&cluster)), ["taskmanager"]);
    let cluster = build(&json!({"podTemplate": template})).unwrap();
    assert_eq!(arguments(&cluster.deployment), ["standalone-job"]);
}

#[test]
fn the_node_network_is_the_job_managers_only() {
    let cluster = with_options(&json!({"kubernetes.hostnetwork.enabled": "true"}));
    assert_eq!(pod_of(&cluster.deployment)["hostNetwork"], true);
    assert!(main_container_of(&cluster.deployment).get("startupProbe").is_none());
    // Several of them share a node, and all listen on the same port.
    assert!(pod_of(task_managers(&cluster)).get("hostNetwork").is_none());
    assert!(main_container_of(task_managers(&cluster)).get("startupProbe").is_none());
}

#[test]
fn a_port_of_task_managers_that_flink_would_choose_is_fixed() {
    let port = |cluster: &ClusterObjects| {
        main_container_of(task_managers(cluster))["ports"][0]["containerPort"].clone()
    };
    assert_eq!(port(&with_options(&json!({"taskmanager.rpc.port": "0"}))), 6122);
    assert_eq!(port(&with_options(&json!({"taskmanager.rpc.port": "7000"}))), 7000);
    let range = error(&json!({"flinkConfiguration": {"taskmanager.rpc.port": "50100-50200"}}));
    assert!(range.starts_with("taskmanager.rpc.port should be specified to a fixed port."), "{range}");
}

#[test]
fn more_resources_of_task_managers_go_to_their_container() {
    let resources = json!({"requests": {"memory": "2Gi", "cpu": "500m", "nvidia.com/gpu": 1}, "limits": {
        "memory": "4Gi", "cpu": 1, "nvidia.com/gpu": 1,
    }});
    let cluster = build(&json!({"taskManager": {"resources": resources}})).unwrap();
    let expected = json!({
        "requests": {"nvidia.com/gpu": "1", "cpu": "0.5", "memory": "2048Mi"},
        "limits": {"nvidia.com/gpu": "1", "cpu": "1.0", "memory": "4096Mi"},
    });
    assert_eq!(main_container_of(task_managers(&cluster))["resources"], expected);
    let storage = json!({"resource": {"memory": "2048m", "ephemeralStorage": "1Gi"}});
    let cluster = build(&json!({"taskManager": storage})).unwrap();
    let limits = &main_container_of(task_managers(&cluster))["resources"]["limits"];
    assert_eq!(limits["ephemeral-storage"], "1Gi");
    assert!(dependent(&cluster, "pod-template-my-app").is_none(), "the template is applied at once");
}

#[test]
fn files_of_the_operator_are_mounted_by_both_pods() {
    let mut files = OperatorFiles::default();
    files.hadoop.insert("core-site.xml".into(), "<c/>".into());
    files.kerberos.insert("/etc/user.keytab".into(), vec![1]);
    let options = json!({
        "security.kerberos.login.keytab": "/etc/user.keytab",
        "security.kerberos.login.principal": "u@R",
    });
    let attempt = Attempt { files, ..Attempt::default() };
    let cluster = rules::build_with(&standalone(&json!({"flinkConfiguration": options})), &attempt).unwrap();
    for deployment in deployments(&cluster) {
        let volumes = names(&pod_of(deployment)["volumes"]);
        for volume in ["hadoop-config-volume", "kerberos-keytab-volume", "flink-config-volume"] {
            assert!(volumes.contains(&volume), "{volume} in {volumes:?}");
        }
        let environment = names(&main_container_of(deployment)["env"]);
        assert!(environment.contains(&"HADOOP_CONF_DIR"), "{environment:?}");
    }
    assert!(dependent(&cluster, "hadoop-config-my-app").is_some());
    let keytab = Some("/opt/kerberos/kerberos-keytab/user.keytab");
    assert_eq!(option(&cluster, "security.kerberos.login.keytab"), keytab);
}

#[test]
fn a_broken_template_of_task_managers_is_named() {
    let template = json!({"spec": {"containers": [{"name": "flink-main-container", "env": "x"}]}});
    let message = error(&json!({"taskManager": {"resource": {"memory": "2048m"}, "podTemplate": template}}));
    assert!(message.starts_with("spec.taskManager.podTemplate is not a valid pod template"), "{message}");
    let memory = error(&json!({"taskManager": {}}));
    assert!(memory.starts_with("TaskManager memory configuration failed"), "{memory}");
}
