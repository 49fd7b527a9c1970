//! E4: schemes, hosts and addresses.

use core::net::IpAddr;

use api::{FlinkSessionJobSpec, decode};
use serde_json::json;

use super::super::{ArtifactSettings, ResolvedHost, host_to_resolve, session_job, status_message};

/// The message for a jar; what DNS says is given as addresses.
fn message(jar: &str, settings: &ArtifactSettings, addresses: Option<&[&str]>) -> Option<String> {
    let spec: FlinkSessionJobSpec = decode(json!({"deploymentName": "a", "job": {"jarURI": jar}})).unwrap();
    let resolved = match addresses {
        None => ResolvedHost::NotAsked,
        Some([]) => ResolvedHost::Unknown,
        Some(all) => ResolvedHost::Addresses(all.iter().map(|a| a.parse::<IpAddr>().unwrap()).collect()),
    };
    assert_eq!(host_to_resolve(Some(jar), settings).is_some(), addresses.is_some(), "{jar}");
    status_message(&session_job(&spec, None, None, settings, &resolved)).map(str::to_owned)
}

fn by_default(jar: &str, addresses: Option<&[&str]>) -> Option<String> {
    message(jar, &ArtifactSettings::default(), addresses)
}

#[track_caller]
fn refused(jar: &str, addresses: Option<&[&str]>, part: &str) {
    let message = by_default(jar, addresses);
    assert!(message.as_deref().is_some_and(|message| message.contains(part)), "{jar}: {message:?}");
}

#[test]
fn schemes() {
    assert_eq!(by_default("x.jar", None), Some("jarURI must include a scheme".to_owned()));
    for jar in ["local:///x.jar", "http://example.com/x.jar", "s3://bucket/x.jar"] {
        let scheme = jar.split(':').next().unwrap();
        let expected = format!(
            "jarURI scheme '{scheme}' is not in the allowlist [https]. Configure \
             'kubernetes.operator.user.artifacts.allowed-schemes' to extend the allowlist."
        );
        assert_eq!(by_default(jar, None), Some(expected));
    }
    assert_eq!(by_default("HTTPS://example.com/x.jar", Some(&["93.184.216.34"])), None);
    refused("https://example.com/a b.jar", None, "not a valid URI");
    let wider =
        ArtifactSettings { allowed_schemes: vec!["S3".to_owned(), "https".to_owned()], ..Default::default() };
    assert_eq!(message("s3://bucket/x.jar", &wider, None), None);
    assert!(message("ftp://a/x.jar", &wider, None).unwrap().contains("allowlist [s3, https]"));
}

#[test]
fn addresses_in_the_uri() {
    for host in [
        "127.0.0.1",
        "127.8.8.8",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "2130706433",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fe80::1%25eth0]".replace("%25", "%").as_str(),
        "[fec0::1]",
        "[ff02::1]",
        "[::ffff:10.0.0.1]",
        "user@10.0.0.1",
        "10.0.0.1:8443",
    ] {
        refused(&format!("https://{host}/x.jar"), None, "may not be fetched");
    }
    for host in ["93.184.216.34", "100.64.0.1", "[fd00::1]", "[2606:2800:220:1::1]"] {
        assert_eq!(by_default(&format!("https://{host}/x.jar"), None), None, "{host}");
    }
}

#[test]
fn addresses_from_dns() {
    let jar = "https://jars.example.com/x.jar";
    assert_eq!(host_to_resolve(Some(jar), &ArtifactSettings::default()).as_deref(), Some("jars.example.com"));
    assert_eq!(by_default(jar, Some(&["93.184.216.34", "2606:2800:220:1::1"])), None);
    refused(jar, Some(&["10.0.0.1"]), "may not be fetched");
    // Whoever connects may take any of them.
    refused(jar, Some(&["93.184.216.34", "127.0.0.1"]), "may not be fetched");
    refused(jar, Some(&[]), "no known address");
    // Whether this is octal is for the resolver to say.
    refused("https://01200000001/x.jar", Some(&["10.0.0.1"]), "may not be fetched");
    refused("https://010.0.0.1/x.jar", Some(&["8.0.0.1", "10.0.0.1"]), "may not be fetched");
}

#[test]
fn hosts() {
    refused("https:///x.jar", None, "must name a host");
    refused("https://a_b/x.jar", None, "must name a host");
    let open = ArtifactSettings { disallow_restricted_hosts: false, ..Default::default() };
    for jar in ["https:///x.jar", "https://a_b/x.jar", "https://127.0.0.1/x.jar", "https://example.com/x.jar"]
    {
        assert_eq!(message(jar, &open, None), None, "{jar}");
    }
}

#[test]
fn a_host_that_nobody_resolved_is_refused() {
    let spec: FlinkSessionJobSpec =
        decode(json!({"deploymentName": "a", "job": {"jarURI": "https://example.com/x.jar"}})).unwrap();
    let violations = session_job(&spec, None, None, &ArtifactSettings::default(), &ResolvedHost::NotAsked);
    assert!(status_message(&violations).unwrap().contains("no known address"));
}
