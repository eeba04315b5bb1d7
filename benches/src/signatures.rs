//! What `attack_signatures` is measured with.

use aiwaf_core::{Engine, Protection, Request, Settings};

use crate::START;

/// An engine in which only this protection runs and bans nobody.
///
/// # Panics
/// Never: the settings are valid.
#[allow(clippy::expect_used)] // the settings are valid, and without an engine there is nothing to measure
pub fn engine() -> Engine {
    let mut settings = Settings::default();
    settings.attack_signatures.ban_after = Some(0);
    Engine::builder()
        .settings(settings)
        .only([Protection::AttackSignatures])
        .build()
        .expect("settings are valid")
}

/// A request of nobody in particular.
pub fn base<'r>() -> Request<'r> {
    Request::new([203, 0, 113, 1].into(), START)
        .with_method("GET")
        .with_protocol("HTTP/1.1")
        .with_path("/search")
}

/// The headers of a form.
pub const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];
/// The headers of a JSON document.
pub const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// A query of 300 bytes as shops and searches have them.
pub const QUERY: &str = "q=running+shoes+for+men&category=sport%2Fshoes&color=blue&size=42&sort=price_asc&page=2&utm_source=\
    newsletter&utm_medium=email&utm_campaign=spring-sale-2026&session=1d7e5ab0c0ffee42&ref=https%3A%2F%2Fwww.example.com\
    %2Fproducts%2F&lang=en-GB&currency=EUR&filter=brand%3Aacme&view=grid&per_page=48";

/// An urlencoded form of 1 KiB with a message in it.
pub fn form() -> String {
    let text = "I'd like to return the shoes that I bought last week - they're a size too small & the colour isn't quite right. ";
    let encoded = text.replace(' ', "+").replace('\'', "%27").replace('&', "%26");
    let body =
        format!("name=Jane+O%27Neill&email=jane%40example.com&subject=Return&message={}", encoded.repeat(12));
    body.chars().take(1024).collect()
}

/// A list of products, no two alike.
pub fn json(kibibytes: usize) -> String {
    let mut items = String::new();
    for number in 0.. {
        let item = format!(
            r#"{{"id":{},"name":"Blue running shoes, men's {number}","price":{number}.9,"tags":["sport","sale"],"note":"ships in 2 days"}},"#,
            48_213 + number
        );
        if items.len() + item.len() > kibibytes * 1024 {
            break;
        }
        items.push_str(&item);
    }
    format!("{{\"items\":[{}]}}", items.trim_end_matches(','))
}
