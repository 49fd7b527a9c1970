//! Lists of hosts, and what they do to addresses.

use core::net::IpAddr;

use super::super::{ArtifactSettings, ChosenBy, HostList, Refusal};

fn list(entries: &[&str]) -> HostList {
    HostList::parse(entries).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn names() {
    let hosts = list(&["Jars.example.com", "*.internal", ""]);
    for (host, expected) in [
        ("jars.example.com", true),
        ("JARS.example.com.", true),
        ("x.jars.example.com", false),
        ("a.internal", true),
        ("a.b.internal", true),
        ("internal", false),
        ("notinternal", false),
    ] {
        assert_eq!(hosts.has_name(host), expected, "{host}");
    }
}

#[test]
fn addresses_and_networks() {
    let hosts = list(&["10.0.0.7", "172.16.0.0/12", "fd00::/8", "[::1]", "0.0.0.0/32"]);
    for (text, expected) in [
        ("10.0.0.7", true),
        ("10.0.0.8", false),
        ("::ffff:10.0.0.7", true),
        ("172.31.255.255", true),
        ("172.32.0.0", false),
        ("fd12::1", true),
        ("fe00::1", false),
        ("::1", true),
    ] {
        assert_eq!(hosts.has_address(address(text)), expected, "{text}");
    }
    let everything = list(&["0.0.0.0/0", "::/0"]);
    assert!(everything.has_address(address("8.8.8.8")) && everything.has_address(address("2001:db8::1")));
}

#[test]
fn what_is_no_host() {
    for entry in ["a b", "10.0.0.0/33", "*", "*x.com", "http://a", "a..b", "x/8"] {
        assert!(HostList::parse(&[entry]).is_err(), "{entry}");
    }
}

#[test]
fn who_is_refused_what() {
    use ChosenBy::{Job, Operator};
    let default = ArtifactSettings::default();
    for (host, job, operator) in [
        ("93.184.216.34", None, None),
        ("10.0.0.1", Some(Refusal::Restricted), None),
        ("127.0.0.1", Some(Refusal::Restricted), None),
        ("169.254.169.254", Some(Refusal::Metadata), Some(Refusal::Metadata)),
        ("::ffff:169.254.169.254", Some(Refusal::Metadata), Some(Refusal::Metadata)),
        ("64:ff9b::a9fe:a9fe", Some(Refusal::Metadata), Some(Refusal::Metadata)),
        ("fe80::1", Some(Refusal::Metadata), Some(Refusal::Metadata)),
        ("fd00:ec2::254", Some(Refusal::Metadata), Some(Refusal::Metadata)),
        ("100.100.100.200", Some(Refusal::Metadata), Some(Refusal::Metadata)),
        ("168.63.129.16", Some(Refusal::Metadata), Some(Refusal::Metadata)),
    ] {
        assert_eq!(default.refusal(host, address(host), Job), job, "{host} by a job");
        assert_eq!(default.refusal(host, address(host), Operator), operator, "{host} by the operator");
    }
    let open = ArtifactSettings { disallow_restricted_hosts: false, ..Default::default() };
    assert_eq!(open.refusal("a", address("10.0.0.1"), Job), None);
    assert_eq!(open.refusal("a", address("169.254.169.254"), Job), Some(Refusal::Metadata));
}

#[test]
fn lists_make_exceptions() {
    use ChosenBy::{Job, Operator};
    let settings = ArtifactSettings {
        allowed_hosts: list(&["jars.internal", "10.1.0.0/16", "169.254.1.1"]),
        denied_hosts: list(&["10.1.9.0/24", "evil.example.com"]),
        allowed_hosts_only: true,
        ..Default::default()
    };
    let refusal = |host, at| settings.refusal(host, address(at), Job);
    assert_eq!(refusal("jars.internal", "10.0.0.1"), None);
    assert_eq!(refusal("jars.internal", "169.254.169.254"), Some(Refusal::Metadata));
    assert_eq!(refusal("other", "10.1.0.1"), None);
    assert_eq!(refusal("other", "169.254.1.1"), None);
    assert_eq!(refusal("jars.internal", "10.1.9.1"), Some(Refusal::Denied));
    assert_eq!(refusal("evil.example.com", "93.184.216.34"), Some(Refusal::Denied));
    assert_eq!(refusal("other", "93.184.216.34"), Some(Refusal::NotListed));
    assert_eq!(settings.refusal("other", address("93.184.216.34"), Operator), None);
}
