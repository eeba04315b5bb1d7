//! What the command changes while a service runs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use aiwaf_middleware::{Aiwaf, ProtectedRouter, Protection, Settings};

use crate::support::Place;

/// Serves one page whose lists are in `place`.
fn serve(place: &Place) -> (SocketAddr, Aiwaf) {
    let mut settings = Settings::default();
    settings.storage.data_dir = place.path().join("aiwaf_data").display().to_string();
    settings.logging.dir = place.path().join("aiwaf_logs").display().to_string();
    // Clients on the machine itself are never banned.
    settings.client.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    settings.protections.enabled = vec![Protection::IpKeywordBlock, Protection::Logging];
    settings.ip_keyword_block.ban_after = Some(1);
    let page = axum::routing::get(async || "hello");
    let router = ProtectedRouter::<()>::new().route("/", page.clone()).route("/recipes/{name}", page);
    let (app, waf) = router.protect(Aiwaf::builder().settings(settings)).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
        });
    });
    (address, waf)
}

fn status(address: SocketAddr, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let headers = "Host: localhost\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n";
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// How long it takes until the answer is `wanted`.
fn wait_for(address: SocketAddr, path: &str, wanted: u16) -> Duration {
    let since = Instant::now();
    while status(address, path) != wanted {
        assert!(since.elapsed() < Duration::from_secs(20), "{path} never answered {wanted}");
        std::thread::sleep(Duration::from_millis(20));
    }
    since.elapsed()
}

#[test]
fn a_change_is_in_force_within_a_second() {
    let place = Place::new();
    let (address, waf) = serve(&place);
    assert_eq!(status(address, "/"), 200);
    let mut delays = Vec::new();
    for (arguments, path, wanted) in [
        (["add", "blacklist", "203.0.113.0/24"], "/", 403),
        (["remove", "blacklist", "203.0.113.0/24"], "/", 200),
        (["add", "keyword", "shellfish"], "/recipes/shellfish", 403),
    ] {
        place.text(&arguments);
        delays.push(wait_for(address, path, wanted));
    }
    // A keyword's hit bans, so the way back is one more ban to end.
    waf.flush(Duration::from_secs(20)).unwrap();
    assert!(place.text(&["list", "blacklist"]).contains("Keyword block: shellfish"));
    // What the service logs is what `explain` reads.
    let explained = place.json(&["explain", "203.0.113.9", "--json"]);
    assert_eq!(explained["state"], "banned");
    let hit =
        explained["history"]["latest"].as_array().unwrap().iter().find(|event| event["ban"].is_string());
    let hit = hit.unwrap();
    assert_eq!((&hit["target"], &hit["matched"]), (&"/recipes/shellfish".into(), &"shellfish".into()));
    assert_eq!((&hit["field"], &hit["protection"]), (&"path".into(), &"ip_keyword_block".into()));
    assert!(explained["history"]["statuses"]["403"].as_u64() > Some(0));

    place.text(&["remove", "blacklist", "203.0.113.9"]);
    delays.push(wait_for(address, "/", 200));
    delays.sort();
    // The median, so that a machine that is busy with other tests proves nothing wrong.
    assert!(delays[1] <= Duration::from_millis(1200), "{delays:?}");
    waf.shutdown().unwrap();
}
