use super::*;

fn class(ip: &str) -> &'static str {
    classify(ip.parse().unwrap()).name()
}

#[test]
fn only_what_is_routed_on_the_internet_is_public() {
    for (ip, expected) in [
        ("1.1.1.1", "public"),
        ("172.32.0.1", "public"),
        ("100.128.0.1", "public"),
        ("2606:4700::1", "public"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("fd12::1", "private"),
        ("127.8.8.8", "loopback"),
        ("::1", "loopback"),
        ("169.254.1.1", "linklocal"),
        ("fe80::1", "linklocal"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.77", "documentation"),
        ("2001:db8::1", "documentation"),
        ("3fff:1::1", "documentation"),
        ("198.19.0.1", "benchmarking"),
        ("224.0.0.251", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("0.1.2.3", "reserved"),
        ("240.0.0.1", "reserved"),
        ("4000::1", "reserved"),
        ("192.0.0.9", "public"),
        ("192.0.0.1", "reserved"),
        ("2001:2::1", "benchmarking"),
        ("2001:1::1", "public"),
    ] {
        assert_eq!(class(ip), expected, "{ip}");
    }
}

#[test]
fn the_clouds_metadata_services_are_known() {
    for ip in [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "169.254.170.2",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
    ] {
        assert_eq!(class(ip), "metadata", "{ip}");
    }
}

#[test]
fn an_address_wrapped_in_ipv6_keeps_its_class() {
    assert_eq!(class("::ffff:127.0.0.1"), "loopback");
    assert_eq!(class("::ffff:1.1.1.1"), "public");
    assert_eq!(class("64:ff9b::10.0.0.1"), "private");
    assert_eq!(class("2002:a00:1::"), "private");
}

#[test]
fn trust_means_subdomains_networks_and_nothing_else() {
    let mut trust = Trust::default();
    for given in ["Internal.example", "10.0.0.0/8", "2001:db8::1"] {
        trust.add(given).unwrap();
    }
    let ip = |ip: &str| trust.holds_address(ip.parse().unwrap());
    assert!(ip("10.1.1.1") && ip("::ffff:10.1.1.1") && ip("2001:db8::1"));
    assert!(!ip("11.0.0.1") && !ip("2001:db8::2"));
    assert_eq!(trust.hosts, ["internal.example"]);
    for bad in ["", "10.0.0", "300.1.1.1", "a b", "https://a.example"] {
        assert!(Trust::default().add(bad).is_err(), "{bad}");
    }
}
