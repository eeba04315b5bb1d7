//! Clients behind proxies of all kinds.

use aiwaf_core::ClientKey;
use proptest::prelude::*;

use super::*;

fn find_behind(trusted: &[&str], peer: &str, headers: &[(&'static str, &str)]) -> String {
    let finder = ClientAddress::new(trusted.iter().map(|text| text.parse().unwrap()));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    finder.find(peer.parse().ok(), &map).to_string()
}

/// Behind a proxy at 10.0.0.1, of a network that is trusted.
fn find(headers: &[(&'static str, &str)]) -> String {
    find_behind(&["10.0.0.0/8", "2001:db8:a::/48"], "10.0.0.1", headers)
}

#[test]
fn original_defect_01_a_stranger_can_not_name_a_victim() {
    for name in ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"] {
        for value in ["8.8.8.8", "for=8.8.8.8"] {
            assert_eq!(find_behind(&[], "192.0.2.1", &[(name, value)]), "192.0.2.1");
            assert_eq!(find_behind(&["10.0.0.0/8"], "192.0.2.1", &[(name, value)]), "192.0.2.1");
            assert_eq!(find_behind(&[], "none", &[(name, value)]), "0.0.0.0");
        }
    }
}

#[test]
fn lists_are_read_from_the_right() {
    for (list, expected) in [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("1.1.1.1,203.0.113.9 ,10.0.0.3,\t10.9.9.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1, 2001:db8:a::7", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9,, ,", "203.0.113.9"),
        // Proxies alone: the furthest one.
        ("10.0.0.7, 10.0.0.8", "10.0.0.7"),
        // The walk ends at an unreadable entry.
        ("203.0.113.9, unknown, 10.0.0.8", "10.0.0.8"),
        ("203.0.113.9, _hidden", "10.0.0.1"),
        ("203.0.113.9, 1.2.3.4.5, 10.0.0.8", "10.0.0.8"),
        ("203.0.113.9, fe80::1%eth0", "fe80::1"),
        ("203.0.113.9, 010.0.0.1", "10.0.0.1"),
        ("", "10.0.0.1"),
    ] {
        assert_eq!(find(&[("x-forwarded-for", list)]), expected, "{list}");
    }
    let lines = [("x-forwarded-for", "1.1.1.1, 203.0.113.9"), ("x-forwarded-for", "10.0.0.7")];
    assert_eq!(find(&lines), "203.0.113.9", "several lines are one list");
}

#[test]
fn forwarded_is_read_as_rfc_7239_says() {
    for (list, expected) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=\"203.0.113.9:47011\";proto=https;by=10.0.0.1", "203.0.113.9"),
        ("proto=http;for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
        ("for=\"[2001:db8::1]\", for=10.0.0.4", "2001:db8::1"),
        ("for=1.1.1.1, for=203.0.113.9;host=\"a,b;c\"", "203.0.113.9"),
        ("for=203.0.113.9, for=unknown", "10.0.0.1"),
        ("for=203.0.113.9, for=\"_hidden\", for=10.0.0.4", "10.0.0.4"),
        ("for=203.0.113.9;for=1.1.1.1", "10.0.0.1"),
        ("for=203.0.113.9, proto=http", "10.0.0.1"),
        // A quote that never ends can't hide what the proxy appended.
        ("for=\"x, for=203.0.113.9", "203.0.113.9"),
        ("for=\"203.0.113.9", "10.0.0.1"),
    ] {
        assert_eq!(find(&[("forwarded", list)]), expected, "{list}");
    }
}

#[test]
fn single_values_are_single_and_come_last() {
    assert_eq!(find(&[("x-real-ip", "203.0.113.9")]), "203.0.113.9");
    assert_eq!(find(&[("cf-connecting-ip", "2001:db8::9")]), "2001:db8::9");
    assert_eq!(find(&[("x-real-ip", "203.0.113.9"), ("x-real-ip", "203.0.113.8")]), "10.0.0.1");
    assert_eq!(find(&[("x-real-ip", "203.0.113.9, 203.0.113.8")]), "10.0.0.1");
    let all = [
        ("cf-connecting-ip", "203.0.113.4"),
        ("x-real-ip", "203.0.113.3"),
        ("forwarded", "for=203.0.113.2"),
        ("x-forwarded-for", "203.0.113.1"),
    ];
    assert_eq!(find(&all), "203.0.113.1");
    assert_eq!(find(&all[..3]), "203.0.113.2");
    assert_eq!(find(&all[..2]), "203.0.113.3");
}

#[test]
fn long_lists_are_cut() {
    let proxies = vec!["10.0.0.9"; ClientAddress::MAX_HOPS].join(",");
    assert_eq!(find(&[("x-forwarded-for", &format!("203.0.113.9,{}", &proxies[9..]))]), "203.0.113.9");
    assert_eq!(find(&[("x-forwarded-for", &format!("203.0.113.9,{proxies}"))]), "10.0.0.9");
    let blanks = " ".repeat(ClientAddress::MAX_LENGTH);
    assert_eq!(find(&[("x-forwarded-for", &format!("203.0.113.9{blanks}"))]), "10.0.0.1");
    assert_eq!(find(&[("forwarded", &"\"".repeat(100_000))]), "10.0.0.1");
}

#[test]
fn a_service_on_a_unix_socket_can_trust_its_proxy() {
    assert_eq!(find_behind(&["0.0.0.0"], "none", &[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
}

fn header_map(headers: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    map
}

/// Behind a proxy at 10.0.0.1, which is trusted alone.
fn identify(peer: &str, headers: &[(&'static str, &str)]) -> Client {
    let finder = ClientAddress::new(["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    finder.identify(peer.parse().ok(), &header_map(headers))
}

#[test]
fn trusted_proxy_without_client_is_unidentified() {
    for headers in [
        &[][..],
        &[("x-forwarded-for", "")],
        &[("x-forwarded-for", "unknown")],
        &[("x-forwarded-for", "203.0.113.9, unknown")],
        &[("forwarded", "proto=https")],
        &[("x-forwarded-for", "0.0.0.0")],
        &[("x-forwarded-for", "10.0.0.1")],
        &[("x-real-ip", "203.0.113.9"), ("x-real-ip", "203.0.113.8")],
    ] {
        assert_eq!(
            identify("10.0.0.1", headers),
            Client::unidentified("10.0.0.1".parse().unwrap()),
            "{headers:?}"
        );
    }
}

#[test]
fn unreadable_clients_of_a_trusted_proxy_are_told_apart() {
    let mut keys = Vec::new();
    for name in ["_a", "_b", "1.2.3.4.5", "fe80::1%"] {
        let client = identify("10.0.0.1", &[("x-forwarded-for", name)]);
        assert_eq!(
            (client.address.to_string().as_str(), client.identity),
            ("10.0.0.1", Identity::Unidentified)
        );
        let expected = ReportedClient::new("10.0.0.1".parse().unwrap(), name.as_bytes(), true);
        assert_eq!(client.reported, Some(expected));
        assert_eq!(client.unknown_proxy, None);
        assert!(!keys.contains(&client.reported));
        keys.push(client.reported);
    }
    assert_eq!(
        identify("10.0.0.1", &[("forwarded", "for=\"_a:4711\"")]),
        identify("10.0.0.1", &[("forwarded", "for=_a;proto=http")]),
        "a port tells no clients apart"
    );
}

#[test]
fn private_peer_that_forwards_is_an_unknown_proxy() {
    for peer in [
        "10.0.0.9",
        "192.168.1.1",
        "172.17.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "127.0.0.2",
        "::1",
        "fd00::1",
        "fe80::1",
    ] {
        let address: IpAddr = peer.parse().unwrap();
        let client = identify(peer, &[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.8")]);
        assert_eq!((client.address, client.identity), (address, Identity::Unidentified), "{peer}");
        assert_eq!(client.unknown_proxy, Some(address));
        let key = ClientKey::new("203.0.113.9".parse().unwrap(), 64);
        assert_eq!(client.reported, Some(ReportedClient::of_key(address, key, false)));
        let client = identify(peer, &[("via", "1.1 cache")]);
        assert_eq!((client.identity, client.reported), (Identity::Unidentified, None));
    }
}

#[test]
fn private_peer_is_direct_until_it_forwards() {
    let finder = ClientAddress::default();
    let identity = |peer: &str, headers: &[(&'static str, &str)]| {
        finder.identify(peer.parse().ok(), &header_map(headers)).identity
    };
    assert_eq!(identity("10.0.0.9", &[]), Identity::Direct);
    assert_eq!(identity("10.0.0.9", &[("x-real-ip", "203.0.113.9")]), Identity::Unidentified);
    assert_eq!(identity("10.0.0.9", &[]), Identity::Unidentified);
    assert_eq!(identity("10.0.0.10", &[]), Identity::Direct);
    for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "none"] {
        assert_eq!(identity(peer, &[]), Identity::Unidentified, "{peer}");
    }
}

#[test]
fn unnamed_proxy_behind_a_trusted_one_is_unidentified() {
    let client = identify("127.0.0.1", &[("x-forwarded-for", "203.0.113.9, 10.0.0.5")]);
    assert_eq!((client.address.to_string().as_str(), client.identity), ("10.0.0.5", Identity::Unidentified));
    assert_eq!(client.unknown_proxy, Some("10.0.0.5".parse().unwrap()));
    let client = identify("127.0.0.1", &[("x-forwarded-for", "10.0.0.5")]);
    assert_eq!((client.address.to_string().as_str(), client.identity), ("10.0.0.5", Identity::Forwarded));
    let client = identify("127.0.0.1", &[("x-forwarded-for", "::1")]);
    assert_eq!(client.identity, Identity::Unidentified);
}

#[test]
fn configured_header_alone_counts() {
    let settings = |names: &[&str]| ClientSettings {
        trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
        forwarding_headers: names.iter().map(|name| (*name).to_owned()).collect(),
        ..ClientSettings::default()
    };
    let headers = header_map(&[
        ("x-forwarded-for", "1.1.1.1"),
        ("true-client-ip", "203.0.113.9"),
        ("x-real-ip", "2.2.2.2"),
    ]);
    let find = |names: &[&str]| {
        ClientAddress::from_settings(&settings(names)).find("10.0.0.1".parse().ok(), &headers).to_string()
    };
    assert_eq!(find(&["True-Client-IP"]), "203.0.113.9");
    assert_eq!(find(&["X-Real-IP", "X-Forwarded-For"]), "2.2.2.2");
    assert_eq!(find(&["CF-Connecting-IP"]), "10.0.0.1");
    assert_eq!(find(&["X-Original-Forwarded-For", "X-Forwarded-For"]), "1.1.1.1");
}

#[test]
fn nat64_clients_are_their_ipv4_addresses() {
    let settings = ClientSettings {
        trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
        nat64_prefixes: vec!["2001:db8:64::/96".parse().unwrap()],
        ..ClientSettings::default()
    };
    let finder = ClientAddress::from_settings(&settings);
    for address in ["64:ff9b::203.0.113.9", "2001:db8:64::203.0.113.9", "::ffff:203.0.113.9"] {
        assert_eq!(finder.find(address.parse().ok(), &HeaderMap::new()).to_string(), "203.0.113.9");
        let headers = header_map(&[("x-forwarded-for", address)]);
        assert_eq!(finder.find("64:ff9b::10.0.0.1".parse().ok(), &headers).to_string(), "203.0.113.9");
    }
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let name =
        prop::sample::select(vec!["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "via"]);
    let value = prop_oneof![
        "[ -~]{0,40}",
        "((for=)?\"?(\\[?[0-9a-f:.]{1,12}\\]?|unknown|_x)(:[0-9]{1,5})?\"?[,;] ?){0,40}",
    ];
    prop::collection::vec((name, value), 0..5).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        headers
    })
}

proptest! {
    #[test]
    fn original_defect_02_without_trusted_proxies_headers_never_matter(headers in any_headers(), peer: [u8; 16], v4: [u8; 4]) {
        for peer in [IpAddr::from(peer), IpAddr::from(v4)] {
            let finder = ClientAddress::default();
            let client = finder.identify(Some(peer), &headers);
            prop_assert_eq!(client.address, aiwaf_core::canonical_address(peer));
            prop_assert_ne!(client.identity, Identity::Forwarded);
            if is_public(client.address) {
                prop_assert_eq!(client, Client::new(client.address, Identity::Direct));
            }
        }
    }

    /// The entries of a client are left of the one that the proxy appends, and change nothing.
    #[test]
    fn clients_can_not_choose_their_address(forged in "[ -~]{0,60}", client: [u8; 4], is_list: bool) {
        let client = Ipv4Addr::from(client);
        prop_assume!(is_public_v4(client));
        let finder = ClientAddress::new(["10.0.0.1".parse().unwrap()]);
        let appended = if is_list { client.to_string() } else { format!("for={client}") };
        let name = if is_list { "x-forwarded-for" } else { "forwarded" };
        let expected = Client::new(IpAddr::V4(client), Identity::Forwarded);
        for value in [format!("{forged}, {appended}"), appended.clone()] {
            prop_assert_eq!(finder.identify("10.0.0.1".parse().ok(), &header_map(&[(name, &value)])), expected);
        }
        let lines = header_map(&[(name, &forged), (name, &appended)]);
        prop_assert_eq!(finder.identify("10.0.0.1".parse().ok(), &lines), expected);
    }

    #[test]
    fn no_header_can_panic(headers in any_headers()) {
        let everybody = ClientAddress::new(["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
        everybody.identify(Some(UNKNOWN_CLIENT), &headers);
    }
}
