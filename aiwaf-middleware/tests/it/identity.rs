//! Clients that can and can't be identified: proxies that are trusted, forgotten or silent, and addresses of all kinds.

use aiwaf_middleware::{Aiwaf, Settings};
use bytes::Bytes;
use http::{HeaderName, Request};
use http_body_util::Full;
use tower::{Layer, service_fn};

use crate::support::{Site, browser, hello, status};

/// Paths that scanners request: one client that requests them all is banned.
const PROBES: [&str; 8] = [
    "/.env",
    "/.git/config",
    "/wp-admin/setup.php",
    "/.aws/credentials",
    "/phpmyadmin/index.php",
    "/xmlrpc.php",
    "/.ssh/id_rsa",
    "/backup.sql",
];

/// Sends requests through a firewall with these settings; the number of those that were allowed.
struct Visits {
    site: Site,
    waf: Aiwaf,
}

impl Visits {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let site = Site::new();
        let waf = site.builder(change).build().unwrap();
        Self { site, waf }
    }

    fn behind(proxy: &str) -> Self {
        Self::new(|settings| settings.client.trusted_proxies = vec![proxy.parse().unwrap()])
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> u16 {
        status(&self.waf.layer().layer(service_fn(hello)), request).await.as_u16()
    }

    async fn get(&self, peer: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.send(get(peer, path, headers)).await
    }

    /// Number of `count` requests for a page that were allowed.
    async fn allowed(&self, count: usize, peer: &str, headers: &[(&str, &str)]) -> usize {
        let mut allowed = 0;
        for _ in 0..count {
            allowed += usize::from(self.get(peer, "/", headers).await == 200);
        }
        allowed
    }

    /// Requests what scanners request; all of that is blocked.
    async fn attack(&self, peer: &str, headers: &[(&str, &str)]) {
        for path in PROBES {
            assert_eq!(self.get(peer, path, headers).await, 403, "{peer} {path}");
        }
    }

    fn is_banned(&self, address: &str) -> bool {
        self.site.list(&self.waf, "blacklist.csv").contains(address)
    }

    fn warnings(&self, event: &str) -> Vec<String> {
        let log = self.site.log(&self.waf, "aiwaf.log");
        log.lines().filter(|line| line.contains(&format!("event={event}"))).map(str::to_owned).collect()
    }
}

/// A request from `peer`, an address or `none`.
fn get(peer: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = browser(if peer == "none" { "203.0.113.1" } else { peer }, "GET", path);
    if peer == "none" {
        request.extensions_mut().clear();
    }
    for (name, value) in headers {
        request
            .headers_mut()
            .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn client_without_peer_address_is_not_banned() {
    for peer in ["none", "0.0.0.0", "::"] {
        let visits =
            Visits::new(|settings| settings.protections.disabled = vec!["rate_limit".parse().unwrap()]);
        visits.attack(peer, &[]).await;
        assert_eq!(visits.get(peer, "/", &[]).await, 200, "{peer}");
        assert_eq!(visits.waf.engine().statistics().bans, 0);
        assert_eq!(visits.warnings("unknown_peer").len(), 1);
    }
}

#[tokio::test]
async fn rates_without_peer_address_have_twenty_budgets() {
    let visits = Visits::new(|settings| (settings.rate_limit.max, settings.rate_limit.flood) = (5, 10));
    assert_eq!(visits.allowed(150, "none", &[]).await, 100);
    assert_eq!(visits.waf.engine().statistics().bans, 0);
}

#[tokio::test]
async fn unnamed_proxy_is_not_banned_and_reported_once() {
    for peer in ["10.0.0.1", "127.0.0.1", "::1", "100.64.0.7"] {
        let visits = Visits::new(|_| {});
        visits.attack(peer, &[("x-forwarded-for", "203.0.113.9")]).await;
        for client in ["203.0.113.9", "203.0.113.10"] {
            assert_eq!(visits.get(peer, "/", &[("x-forwarded-for", client)]).await, 200, "{peer}");
        }
        assert_eq!(visits.get(peer, "/", &[]).await, 200, "a health check of the proxy");
        assert_eq!(visits.waf.engine().statistics().bans, 0);
        let warnings = visits.warnings("unknown_proxy");
        assert!(
            warnings.len() == 1 && warnings[0].contains(&format!("AIWAF_TRUSTED_PROXIES={peer}")),
            "{warnings:?}"
        );
        assert!(
            !visits.site.log(&visits.waf, "access.log").contains("203.0.113.9"),
            "reports are not believed"
        );
    }
}

#[tokio::test]
async fn rates_behind_an_unnamed_proxy_count_by_report() {
    let visits = Visits::new(|settings| (settings.rate_limit.max, settings.rate_limit.flood) = (5, 10));
    assert_eq!(visits.allowed(20, "10.0.0.1", &[("x-forwarded-for", "203.0.113.9")]).await, 5);
    let mut others = 0;
    for number in 0..40 {
        let client = format!("198.51.100.{number}");
        others += visits.allowed(5, "10.0.0.1", &[("x-forwarded-for", &client)]).await;
    }
    assert_eq!(others, 95, "the peer as a whole has the budget of 20 clients");
    assert_eq!(visits.allowed(5, "203.0.113.9", &[]).await, 5, "the client itself is not affected");
    assert_eq!(visits.waf.engine().statistics().bans, 0);
}

#[tokio::test]
async fn visitors_that_arrive_as_loopback_are_not_banned() {
    let visits = Visits::new(|settings| settings.protections.disabled = vec!["logging".parse().unwrap()]);
    for peer in ["::1", "127.0.0.1"] {
        visits.attack(peer, &[]).await;
        assert_eq!(visits.allowed(1000, peer, &[]).await, 1000);
    }
    assert_eq!(visits.waf.engine().statistics().bans, 0);
}

#[tokio::test]
async fn private_client_is_banned_and_its_neighbor_is_not() {
    let visits = Visits::new(|_| {});
    visits.attack("10.0.0.7", &[]).await;
    assert!(visits.is_banned("10.0.0.7"));
    assert_eq!(visits.get("10.0.0.8", "/", &[]).await, 200);
}

#[tokio::test]
async fn trusted_proxy_is_not_banned() {
    for headers in [
        &[][..],
        &[("x-forwarded-for", "unknown")],
        &[("x-forwarded-for", "_hidden")],
        &[("forwarded", "proto=http")],
    ] {
        let visits = Visits::behind("10.0.0.1");
        visits.attack("10.0.0.1", headers).await;
        assert_eq!(visits.get("10.0.0.1", "/", headers).await, 200, "{headers:?}");
        assert_eq!(visits.get("10.0.0.1", "/", &[("x-forwarded-for", "203.0.113.9")]).await, 200);
        assert_eq!(visits.waf.engine().statistics().bans, 0);
        assert!(visits.warnings("unknown_proxy").is_empty());
    }
}

#[tokio::test]
async fn unreadable_forwarded_addresses_share_no_budget() {
    let visits = Visits::new(|settings| {
        settings.client.trusted_proxies = vec!["10.0.0.1".parse().unwrap()];
        (settings.rate_limit.max, settings.rate_limit.flood) = (5, 10);
    });
    for number in 0..60 {
        let name = format!("_client{number}:{number}");
        assert_eq!(visits.allowed(10, "10.0.0.1", &[("x-forwarded-for", &name)]).await, 5, "{name}");
    }
}

#[tokio::test]
async fn forwarded_client_is_banned_in_all_spellings() {
    for spelling in [
        "203.0.113.9:4711",
        "\"203.0.113.9\"",
        "::ffff:203.0.113.9",
        "64:ff9b::203.0.113.9",
        "[64:ff9b::203.0.113.9]:80",
    ] {
        let visits = Visits::behind("10.0.0.1");
        visits.attack("10.0.0.1", &[("x-forwarded-for", spelling)]).await;
        assert!(visits.is_banned("203.0.113.9"), "{spelling}");
        assert_eq!(visits.get("10.0.0.1", "/", &[("x-forwarded-for", "203.0.113.9")]).await, 403);
        assert_eq!(visits.get("10.0.0.1", "/", &[("x-forwarded-for", "203.0.113.10")]).await, 200);
    }
}

#[tokio::test]
async fn nat64_clients_are_told_apart() {
    let visits =
        Visits::new(|settings| settings.client.nat64_prefixes = vec!["2001:db8:64::/96".parse().unwrap()]);
    visits.attack("64:ff9b::203.0.113.9", &[]).await;
    assert!(visits.is_banned("203.0.113.9"));
    for (peer, expected) in [
        ("203.0.113.9", 403),
        ("2001:db8:64::203.0.113.9", 403),
        ("64:ff9b::203.0.113.10", 200),
        ("2001:db8:64::203.0.113.10", 200),
    ] {
        assert_eq!(visits.get(peer, "/", &[]).await, expected, "{peer}");
    }
}

#[tokio::test]
async fn client_can_not_choose_the_forwarding_header() {
    let visits = Visits::new(|settings| {
        settings.client.trusted_proxies = vec!["10.0.0.1".parse().unwrap()];
        settings.client.forwarding_headers = vec!["X-Real-IP".into()];
    });
    let forged = [("x-forwarded-for", "8.8.8.8"), ("forwarded", "for=8.8.8.8"), ("x-real-ip", "203.0.113.9")];
    visits.attack("10.0.0.1", &forged).await;
    assert!(visits.is_banned("203.0.113.9") && !visits.is_banned("8.8.8.8"));
}

#[tokio::test]
async fn rotation_over_an_ipv6_network_is_limited() {
    let visits = Visits::new(|settings| (settings.rate_limit.max, settings.rate_limit.flood) = (5, 10));
    let mut allowed = 0;
    for number in 0..200_u32 {
        allowed += visits.allowed(1, &format!("2001:db8:7:{:x}::1", number << 8), &[]).await;
    }
    assert_eq!(allowed, 80);
    assert_eq!(visits.waf.engine().statistics().bans, 0);
}
