//! Search engines, by the names that they give themselves.

/// What search engines, indexes of the web and services that fetch pages for their readers call themselves, and whose
/// they are.
const CRAWLERS: [(&str, &str); 34] = [
    ("googlebot", "Google"),
    ("adsbot-google", "Google"),
    ("mediapartners-google", "Google"),
    ("storebot-google", "Google"),
    ("googleother", "Google"),
    ("feedfetcher-google", "Google"),
    ("google-inspectiontool", "Google"),
    ("bingbot", "Bing"),
    ("bingpreview", "Bing"),
    ("adidxbot", "Bing"),
    ("msnbot", "Bing"),
    ("yandexbot", "Yandex"),
    ("yandeximages", "Yandex"),
    ("yandexmobilebot", "Yandex"),
    ("baiduspider", "Baidu"),
    ("duckduckbot", "DuckDuckGo"),
    ("applebot", "Apple"),
    ("slurp", "Yahoo"),
    ("petalbot", "Petal"),
    ("seznambot", "Seznam"),
    ("qwantbot", "Qwant"),
    ("mojeekbot", "Mojeek"),
    ("coccocbot", "Coc Coc"),
    ("sogou", "Sogou"),
    ("exabot", "Exalead"),
    ("archive.org_bot", "Internet Archive"),
    ("ccbot", "Common Crawl"),
    ("mj12bot", "Majestic"),
    ("ahrefsbot", "Ahrefs"),
    ("semrushbot", "Semrush"),
    ("dotbot", "Moz"),
    ("facebookexternalhit", "Facebook"),
    ("twitterbot", "Twitter"),
    ("linkedinbot", "LinkedIn"),
];

/// What attackers call themselves who would like to be taken for a search engine as well.
const TOOLS: [&str; 10] =
    ["sqlmap", "nikto", "nmap", "masscan", "zgrab", "nuclei", "wpscan", "acunetix", "curl", "python"];

/// The search engine that an agent names: as a product of its own (`Googlebot/2.1`, `(compatible; bingbot/2.0; ...)`),
/// not within another word, and not beside the name of a tool.
///
/// Anybody can say so. Without a look-up of the address, which training does not make, a claim is believed only so far:
/// it excuses how *much* a client asked for, as search engines come back for pages that are gone, and never *what* it
/// asked for: no search engine looks for `/.env`.
pub(crate) fn crawler(agent: &[u8]) -> Option<&'static str> {
    // Agents of browsers are the most by far.
    if !agent.iter().any(|byte| matches!(byte, b'b' | b'B' | b'g' | b'G' | b's' | b'S' | b'y' | b'Y')) {
        return None;
    }
    let agent: Vec<u8> = agent.iter().take(512).map(u8::to_ascii_lowercase).collect();
    let is_word = |name: &str| {
        memchr::memmem::find_iter(&agent, name).any(|start| {
            let before = start.checked_sub(1).and_then(|at| agent.get(at));
            let after = agent.get(start + name.len());
            before.is_none_or(|byte| matches!(byte, b' ' | b';' | b'(' | b'+'))
                && after.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        })
    };
    let (_, owner) = CRAWLERS.iter().find(|(name, _)| is_word(name))?;
    let is_tool = TOOLS.iter().any(|tool| memchr::memmem::find(&agent, tool.as_bytes()).is_some());
    if is_tool { None } else { Some(owner) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_engines_are_known_as_they_write_themselves() {
        for (agent, owner) in [
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Some("Google")),
            ("Googlebot-Image/1.0", Some("Google")),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
                Some("Bing"),
            ),
            (
                "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
                Some("Yahoo"),
            ),
            ("msnbot/0.11 (+http://search.msn.com/msnbot.htm)", Some("Bing")),
            ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", Some("Yandex")),
            ("sqlmap/1.7 (Googlebot/2.1)", None),
            ("NotGooglebot/2.1", None),
            ("Googlebotter", None),
            ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0", None),
            ("", None),
        ] {
            assert_eq!(crawler(agent.as_bytes()), owner, "{agent}");
        }
    }
}
