//! Rules of clusters that no recording covers, and what is peculiar to native ones. The expected values were seen in the output of Flink's own
//! client, 1.20.0, unless a test says that ours differs.

#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

mod rules;

use api::FlinkVersion;
use resources::{ClusterObjects, OperatorFiles};
use rules::{Attempt, JOB_ID, build, build_with, data, dependent, main_container_of, names, option, pod_of};
use serde_json::{Value, json};

fn with_options(options: &Value) -> ClusterObjects {
    build(&json!({"flinkConfiguration": options})).unwrap()
}

fn error(additions: &Value) -> String {
    build(additions).unwrap_err().to_string()
}

fn pod(cluster: &ClusterObjects) -> &Value {
    pod_of(&cluster.deployment)
}

fn main_container(cluster: &ClusterObjects) -> &Value {
    main_container_of(&cluster.deployment)
}

#[test]
fn lists_from_maps_are_in_the_order_of_javas_table() {
    let cluster = with_options(&json!({
        "kubernetes.secrets": "one:/z,two:/a,three:/m,four:/s1,five:/s2",
        "containerized.master.env.B_VAR": "1",
        "containerized.master.env.A_VAR": "2",
        "containerized.master.env.ZED": "3",
        "containerized.master.env.FOO": "4",
    }));
    let main = main_container(&cluster);
    assert_eq!(names(&main["env"]), ["B_VAR", "FOO", "ZED", "A_VAR", "_POD_IP_ADDRESS"]);
    let volumes = ["four-volume", "one-volume", "two-volume", "three-volume", "five-volume"];
    assert_eq!(names(&pod(&cluster)["volumes"])[1..6], volumes);
    assert_eq!(names(&main["volumeMounts"])[1..6], volumes);
    // Names that share a bucket are in the order of the text.
    let cluster = with_options(&json!({"kubernetes.secrets": "zz:/z,aa:/a,mm:/m"}));
    assert_eq!(names(&pod(&cluster)["volumes"])[1..4], ["zz-volume", "aa-volume", "mm-volume"]);
}

#[test]
fn options_win_over_the_template_where_they_are_set() {
    let template = json!({
        "metadata": {"name": "pod-template", "labels": {"app": "t", "z": "y"}},
        "spec": {
            "serviceAccountName": "by-name", "serviceAccount": "by-account", "restartPolicy": "Never",
            "nodeSelector": {"disk": "hdd", "cpu": "fast"}, "hostNetwork": true, "dnsPolicy": "None",
            "containers": [
                {"name": "flink-main-container", "image": "of-template", "imagePullPolicy": "Never"},
                {"name": "side", "image": "i"},
            ],
        },
    });
    let conf = json!({"kubernetes.jobmanager.node-selector": "disk:ssd", "kubernetes.jobmanager.labels": "app:evil"});
    let cluster =
        build(&json!({"podTemplate": template, "serviceAccount": null, "flinkConfiguration": conf})).unwrap();
    let pod = pod(&cluster);
    assert_eq!(pod["serviceAccount"], "by-account");
    assert_eq!(pod["serviceAccountName"], "by-account");
    assert_eq!(pod["restartPolicy"], "Never");
    assert_eq!(pod["hostNetwork"], false);
    assert_eq!(pod["dnsPolicy"], "None");
    assert_eq!(pod["nodeSelector"], json!({"disk": "ssd", "cpu": "fast"}));
    assert_eq!(names(&pod["containers"]), ["side", "flink-main-container"]);
    assert_eq!(main_container(&cluster)["image"], "of-template");
    assert_eq!(main_container(&cluster)["imagePullPolicy"], "Never");
    let metadata = &cluster.deployment.data["spec"]["template"]["metadata"];
    assert_eq!(metadata["name"], "pod-template");
    assert_eq!(metadata["labels"]["app"], "my-app");
    assert_eq!(metadata["labels"]["z"], "y");
    assert_eq!(cluster.deployment.metadata.labels.as_ref().unwrap()["app"], "my-app");

    let cluster =
        build(&json!({"podTemplate": template, "image": "of-spec", "imagePullPolicy": "always"})).unwrap();
    assert_eq!(main_container(&cluster)["image"], "of-spec");
    assert_eq!(main_container(&cluster)["imagePullPolicy"], "Always");
    assert_eq!(self::pod(&cluster)["serviceAccount"], "flink");
}

#[test]
fn nothing_is_deduplicated() {
    let template = json!({"spec": {
        "volumes": [{"name": "flink-config-volume", "emptyDir": {}}],
        "containers": [{"name": "flink-main-container", "env": [{"name": "_POD_IP_ADDRESS", "value": "x"}]}],
    }});
    let cluster = build(&json!({"podTemplate": template})).unwrap();
    assert_eq!(names(&main_container(&cluster)["env"]), ["_POD_IP_ADDRESS", "_POD_IP_ADDRESS"]);
    let volumes = names(&pod(&cluster)["volumes"]).into_iter();
    assert_eq!(volumes.filter(|name| *name == "flink-config-volume").count(), 2);
}

#[test]
fn odd_spellings_of_lists_of_maps() {
    let cluster = with_options(&json!({
        "kubernetes.jobmanager.tolerations": "KEY:k,Operator:Exists,foo:bar;key:b,tolerationSeconds:60",
        "kubernetes.container.image.pull-secrets": " a ;; b ",
    }));
    let tolerations = json!([{"key": "k", "operator": "Exists"}, {"key": "b", "tolerationSeconds": 60}]);
    assert_eq!(pod(&cluster)["tolerations"], tolerations);
    assert_eq!(names(&pod(&cluster)["imagePullSecrets"]), ["a", "b"]);
}

#[test]
fn ports_that_flink_would_choose_are_fixed() {
    let cluster = with_options(&json!({"blob.server.port": "0", "rest.bind-port": "0", "rest.port": "9000"}));
    assert_eq!(option(&cluster, "blob.server.port"), Some("6124"));
    assert_eq!(option(&cluster, "rest.bind-port"), Some("8081"));
    let service = &dependent(&cluster, "my-app-rest").unwrap().data["spec"]["ports"][0];
    assert_eq!((&service["port"], &service["targetPort"]), (&json!(9000), &json!(8081)));
    // Flink's client writes 9000 here, where nothing listens: the startup probe would never succeed.
    assert_eq!(main_container(&cluster)["ports"][0]["containerPort"], 8081);
    let range = error(&json!({"flinkConfiguration": {"blob.server.port": "50100-50200"}}));
    assert_eq!(
        range,
        "blob.server.port should be specified to a fixed port. Do not support a range of ports."
    );
}

#[test]
fn what_flinks_client_refuses() {
    for key in ["kubernetes.jobmanager.cpu.limit-factor", "kubernetes.jobmanager.memory.limit-factor"] {
        let message = error(&json!({"flinkConfiguration": {key: "0.99"}}));
        assert_eq!(message, format!("{key} should be greater or equal to 1."));
    }
    // The field of the spec, 1 by default, is written over the option.
    let replicas = with_options(&json!({"kubernetes.jobmanager.replicas": "2"}));
    assert_eq!(replicas.deployment.data["spec"]["replicas"], 1);
    let standby = json!({"jobManager": {"replicas": 2, "resource": {"memory": "2048m"}}});
    assert_eq!(error(&standby), "High availability should be enabled when starting standby JobManagers.");
    let policy =
        error(&json!({"flinkConfiguration": {"kubernetes.container.image.pull-policy": "Sometimes"}}));
    assert!(
        policy.starts_with(
            "Could not parse value 'Sometimes' for key 'kubernetes.container.image.pull-policy'"
        )
    );
    let exposed = error(&json!({"flinkConfiguration": {"kubernetes.rest-service.exposed.type": "Foo"}}));
    assert!(
        exposed.starts_with("Could not parse value 'Foo' for key 'kubernetes.rest-service.exposed.type'")
    );
    let memory = error(&json!({"taskManager": {}}));
    assert!(memory.starts_with("TaskManager memory configuration failed"), "{memory}");
}

#[test]
fn high_availability_has_no_internal_service() {
    let options =
        json!({"high-availability.type": "kubernetes", "high-availability.storageDir": "s3://b/ha/"});
    let cluster = with_options(&options);
    assert!(dependent(&cluster, "my-app").is_none());
    assert_eq!(option(&cluster, "jobmanager.rpc.address"), None);
    assert_eq!(option(&cluster, "high-availability.cluster-id"), Some("my-app"));
    assert_eq!(option(&cluster, "high-availability.jobmanager.port"), Some("6123"));
    let results = "s3://b/ha/job-result-store/my-app/attempt-1";
    assert_eq!(option(&cluster, "job-result-store.storage-path"), Some(results));
    assert_eq!(option(&cluster, "job-result-store.delete-on-commit"), Some("false"));
}

#[test]
fn each_attempt_has_its_own_job_graphs_in_zookeeper() {
    let zookeeper = |own: Value| {
        let mut options =
            json!({"high-availability.type": "zookeeper", "high-availability.storageDir": "s3://b/ha"});
        for (key, value) in own.as_object().unwrap() {
            options[key] = value.clone();
        }
        with_options(&options)
    };
    let node = "high-availability.zookeeper.path.jobgraphs";
    assert_eq!(option(&zookeeper(json!({})), node), Some("/jobgraphs-attempt-1"));
    // Flink 2.x prefers the newer name.
    let newer = "high-availability.zookeeper.path.execution-plans";
    let cluster = zookeeper(json!({newer: "/plans"}));
    assert_eq!((option(&cluster, node), option(&cluster, newer)), (Some("/plans-attempt-1"), None));
    assert_eq!(option(&with_options(&json!({"high-availability.type": "kubernetes"})), node), None);
}

#[test]
fn the_recorded_state_wins_over_restore_paths_of_the_user() {
    let options =
        json!({"execution.state-recovery.path": "s3://old", "execution.savepoint.path": "s3://older"});
    let spec = json!({"flinkConfiguration": options});
    let attempt = Attempt { restore_path: Some("s3://recorded"), files: OperatorFiles::default() };
    let cluster = build_with(&spec, &attempt).unwrap();
    assert_eq!(option(&cluster, "execution.savepoint.path"), Some("s3://recorded"));
    assert_eq!(option(&cluster, "execution.state-recovery.path"), None);
    let cluster = build(&spec).unwrap();
    assert_eq!(option(&cluster, "execution.savepoint.path"), None);
    assert_eq!(option(&cluster, "execution.state-recovery.path"), None);
    assert_eq!(option(&cluster, "$internal.pipeline.job-id"), Some(JOB_ID));
}

#[test]
fn jobs_without_a_jar() {
    let without_jar = |version: FlinkVersion, entry_class: &str| {
        let job = json!({"entryClass": entry_class, "parallelism": 1});
        build(&json!({"job": job, "flinkVersion": version.as_str()}))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let refused = Err("spec.job.jarURI must be set: Flink before 2.1 needs a jar".to_owned());
    assert_eq!(without_jar(FlinkVersion::V1_20, "a.B"), refused);
    assert_eq!(without_jar(FlinkVersion::V2_0, "a.B"), refused);
    assert_eq!(without_jar(FlinkVersion::V2_1, "a.B"), Ok(()));
    assert_eq!(without_jar(FlinkVersion::V1_20, "org.apache.flink.client.python.PythonDriver"), Ok(()));
    let python = json!({"args": ["-py", "/job.py"], "parallelism": 1});
    assert!(build(&json!({"job": python})).is_ok());
    assert!(
        error(&json!({"job": {"jarURI": "local:///a b.jar", "parallelism": 1}})).contains("contains blanks")
    );
}

#[test]
fn task_managers_get_their_template_by_a_mounted_file() {
    let template = json!({"spec": {"containers": [{"name": "flink-main-container", "env": [{"name": "A", "value": "1"}]}]}});
    let of_task_managers =
        json!({"resource": {"memory": "2048m", "ephemeralStorage": "1Gi"}, "podTemplate": template});
    let cluster = build(&json!({"taskManager": of_task_managers})).unwrap();
    let text = data(&cluster, "pod-template-my-app", "taskmanager-pod-template.yaml");
    let read: Value = serde_saphyr::from_str(text).unwrap();
    let storage = json!({"limits": {"ephemeral-storage": "1Gi"}, "requests": {"ephemeral-storage": "1Gi"}});
    let main =
        json!({"name": "flink-main-container", "env": [{"name": "A", "value": "1"}], "resources": storage});
    assert_eq!(read, json!({"spec": {"containers": [main]}}));
    // The path is fixed in Flink: Constants.POD_TEMPLATE_DIR_IN_POD and TASK_MANAGER_POD_TEMPLATE_FILE_NAME.
    let mount = main_container(&cluster)["volumeMounts"].as_array().unwrap().last().unwrap();
    assert_eq!(mount, &json!({"name": "pod-template-volume", "mountPath": "/opt/flink/pod-template"}));
    let volume = pod(&cluster)["volumes"].as_array().unwrap().last().unwrap();
    let file = "taskmanager-pod-template.yaml";
    let items = json!([{"key": file, "path": file}]);
    assert_eq!(
        volume,
        &json!({"name": "pod-template-volume", "configMap": {"name": "pod-template-my-app", "items": items}})
    );
    // The JobManager's own template has no part in it, nor has the startup probe.
    let cluster =
        build(&json!({"jobManager": {"resource": {"memory": "2048m"}, "podTemplate": template}})).unwrap();
    assert!(dependent(&cluster, "pod-template-my-app").is_none());
}

#[test]
fn fields_that_our_kubernetes_types_do_not_know_reach_the_api_server() {
    let container = json!({"name": "flink-main-container", "fieldOfTheFuture": {"a": [1]}});
    let template = json!({"spec": {"alsoNew": true, "containers": [container]}});
    let cluster = build(&json!({"podTemplate": template})).unwrap();
    assert_eq!(pod(&cluster)["alsoNew"], true);
    assert_eq!(main_container(&cluster)["fieldOfTheFuture"], json!({"a": [1]}));
    let text = data(&cluster, "pod-template-my-app", "taskmanager-pod-template.yaml");
    assert!(text.contains("fieldOfTheFuture") && text.contains("alsoNew: true"), "{text}");
}

#[test]
fn templates_without_containers_and_with_numbers_as_quantities() {
    let template = json!({"spec": {
        "nodeSelector": {"a": "b"},
        "overhead": {"cpu": 1},
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": 1_000}}],
        "tolerations": null,
    }});
    let cluster = build(&json!({"podTemplate": template})).unwrap();
    assert_eq!(pod(&cluster)["overhead"]["cpu"], "1");
    assert_eq!(pod(&cluster)["volumes"][0]["emptyDir"]["sizeLimit"], "1000");
    assert_eq!(names(&pod(&cluster)["containers"]), ["flink-main-container"]);
    assert!(pod(&cluster).get("tolerations").is_none());
}

#[test]
fn broken_templates_are_named_with_the_path_inside() {
    let template = json!({"spec": {"containers": [{"name": "flink-main-container", "env": "x"}]}});
    let of_job_manager = json!({"resource": {"memory": "2048m"}, "podTemplate": template});
    let message = error(&json!({"jobManager": of_job_manager}));
    assert!(
        message.starts_with("spec.jobManager.podTemplate is not a valid pod template: spec.containers"),
        "{message}"
    );
    assert!(error(&json!({"podTemplate": []})).starts_with("spec.podTemplate is not a valid pod template"));
}

#[test]
fn a_probe_of_the_users_stays() {
    let probe = json!({"tcpSocket": {"port": 1}});
    let template = json!({"spec": {"containers": [{"name": "flink-main-container", "startupProbe": probe}]}});
    let cluster = build(&json!({"podTemplate": template})).unwrap();
    assert_eq!(main_container(&cluster)["startupProbe"], probe);
    let off = json!({"kubernetes.operator.jm-deployment.startup.probe.enabled": "false"});
    assert!(main_container(&with_options(&off)).get("startupProbe").is_none());
}

#[test]
fn the_port_is_probed_where_the_kubelet_would_need_a_certificate() {
    let probed = |mutual: &str, ha: &str| {
        let options = json!({
            "security.ssl.rest.enabled": "true",
            "security.ssl.rest.authentication-enabled": mutual,
            "high-availability.type": ha,
            "high-availability.storageDir": "file:///ha",
        });
        let cluster = with_options(&options);
        let probe = main_container(&cluster)["startupProbe"].as_object().unwrap();
        ["httpGet", "tcpSocket"].map(|handler| probe.contains_key(handler))
    };
    assert_eq!(probed("true", "kubernetes"), [false, true]);
    assert_eq!(probed("true", "NONE"), [true, false]);
    assert_eq!(probed("false", "kubernetes"), [true, false]);
}

#[test]
fn files_of_the_operator() {
    let mut files = OperatorFiles::default();
    files.hadoop.insert("core-site.xml".into(), "<c/>".into());
    files.hadoop.insert("other.xml".into(), "<o/>".into());
    files.kerberos.insert("/etc/user.keytab".into(), vec![1, 2, 255]);
    files.kerberos.insert("/etc/my-krb5.conf".into(), b"krb".to_vec());
    let options = json!({
        "security.kerberos.login.keytab": "/etc/user.keytab",
        "security.kerberos.login.principal": "u@R",
        "security.kerberos.krb5-conf.path": "/etc/my-krb5.conf",
    });
    let attempt = Attempt { restore_path: None, files };
    let cluster = build_with(&json!({"flinkConfiguration": options}), &attempt).unwrap();
    let volumes =
        ["hadoop-config-volume", "kerberos-keytab-volume", "kerberos-krb5conf-volume", "flink-config-volume"];
    assert_eq!(names(&pod(&cluster)["volumes"])[1..], volumes);
    assert_eq!(
        dependent(&cluster, "hadoop-config-my-app").unwrap().data["data"],
        json!({"core-site.xml": "<c/>"})
    );
    assert_eq!(dependent(&cluster, "kerberos-keytab-my-app").unwrap().data["data"]["user.keytab"], "AQL/");
    assert_eq!(data(&cluster, "kerberos-krb5conf-my-app", "my-krb5.conf"), "krb");
    let keytab = Some("/opt/kerberos/kerberos-keytab/user.keytab");
    assert_eq!(option(&cluster, "security.kerberos.login.keytab"), keytab);

    // A path that the administrator did not offer is left to the user's own pod template.
    let token = json!({
        "security.kerberos.login.keytab": "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "security.kerberos.login.principal": "u@R",
    });
    let cluster = build_with(&json!({"flinkConfiguration": token}), &attempt).unwrap();
    assert!(dependent(&cluster, "kerberos-keytab-my-app").is_none());
    let off = json!({"kubernetes.decorator.hadoop-conf-mount.enabled": "false"});
    let cluster = build_with(&json!({"flinkConfiguration": off}), &attempt).unwrap();
    assert!(dependent(&cluster, "hadoop-config-my-app").is_none());
}

#[test]
fn the_image_of_a_cluster_that_names_none_has_its_version() {
    assert_eq!(main_container(&build(&json!({})).unwrap())["image"], "apache/flink:1.20-scala_2.12");
    let cluster = build(&json!({"flinkVersion": "v2_1"})).unwrap();
    assert_eq!(main_container(&cluster)["image"], "apache/flink:2.1-scala_2.12");
}

#[test]
fn clusters_do_not_see_options_of_the_operator_and_of_the_client() {
    let cluster = with_options(&json!({
        "kubernetes.operator.reconcile.interval": "1 s",
        "job.autoscaler.enabled": "true",
        "rest.bind-address": "localhost",
        "web.address": "localhost",
        "kubernetes.config.file": "/x",
    }));
    let file = data(&cluster, "flink-config-my-app", "flink-conf.yaml");
    for key in
        ["kubernetes.operator.", "job.autoscaler.", "bind-address", "web.address", "kubernetes.config.file"]
    {
        assert!(!file.contains(key), "{key} in\n{file}");
    }
}

#[test]
fn the_same_attempt_gives_the_same_objects_and_dependents_are_owned() {
    let build = || {
        with_options(&json!({"high-availability.type": "kubernetes", "high-availability.storageDir": "/ha"}))
    };
    let cluster = build();
    assert_eq!(cluster, build());
    assert_eq!(cluster.attempt(), Some("attempt-1"));
    let annotations = cluster.deployment.metadata.annotations.as_ref().unwrap();
    assert_eq!(annotations["flinkdeployment.flink.apache.org/generation"], "3");
    let of_pod = &cluster.deployment.data["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(of_pod, &json!({"flinkdeployment.flink.apache.org/generation": "3"}));
    for dependent in cluster.dependents_owned_by("deployment-uid") {
        let owners = dependent.metadata.owner_references.unwrap();
        assert_eq!(owners.len(), 1);
        assert_eq!((owners[0].kind.as_str(), owners[0].uid.as_str()), ("Deployment", "deployment-uid"));
        assert_eq!((owners[0].controller, owners[0].block_owner_deletion), (Some(true), Some(true)));
    }
    assert!(cluster.dependents.iter().all(|dependent| dependent.metadata.owner_references.is_none()));
}
