//! Well-known automatic clients, by user agent: search engines, link previews, monitors, feed readers, AI crawlers,
//! SEO crawlers, HTTP libraries and scanners.
//!
//! A user agent is a claim. A class therefore never proves who sent a request; it only says how the sender wants to be
//! seen, which is enough to treat honest programs as what they are and to block scanners that keep their own name.

mod catalog;
mod settings;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use settings::{BotPolicy, BotSettings};

use catalog::{Agent, CATALOG};

/// Maximum bytes of a user agent to search; longer ones are judged by their beginning.
const MAX_SEARCHED: usize = 1024;

/// A class of automatic clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BotClass {
    /// Search engines with their ad and site checks, and web archives.
    SearchEngine,
    /// Link previews, image proxies and webhooks of messengers, social networks and other services.
    Preview,
    /// Health probes, uptime and performance services, and checks that the owner of a site orders.
    Monitor,
    /// Feed and podcast readers.
    Feed,
    /// Collectors of training data, and fetchers of AI assistants.
    AiCrawler,
    /// Search optimization, marketing, brand protection and research.
    Seo,
    /// HTTP libraries, commands, browser automation and the runtimes of apps.
    Library,
    /// Attack tools and scans of the whole Internet.
    Scanner,
}

impl BotClass {
    /// All classes, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::SearchEngine,
        Self::Preview,
        Self::Monitor,
        Self::Feed,
        Self::AiCrawler,
        Self::Seo,
        Self::Library,
        Self::Scanner,
    ];

    /// The name of the class in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SearchEngine => "search_engine",
            Self::Preview => "preview",
            Self::Monitor => "monitor",
            Self::Feed => "feed",
            Self::AiCrawler => "ai_crawler",
            Self::Seo => "seo",
            Self::Library => "library",
            Self::Scanner => "scanner",
        }
    }
}

impl fmt::Display for BotClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The well-known agent that a user agent names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BotMatch {
    /// The class of the agent.
    pub class: BotClass,
    /// The name of the agent in its own spelling, such as `Googlebot`.
    pub name: &'static str,
    /// Offset of the first byte of the name in the user agent.
    pub start: usize,
    /// Offset behind the last byte of the name.
    pub end: usize,
    /// The runtime of apps: what a person's phone or computer sends on its own.
    pub(crate) is_app_runtime: bool,
    /// What the library is to the agent; of no meaning for other classes.
    pub(crate) role: LibraryRole,
}

/// What a library is to the agent that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LibraryRole {
    /// The client itself: the library comes first, or poses as a search engine.
    Client,
    /// Behind the name of a browser: `Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/119.0 Safari/537.36`.
    Browser,
    /// Part of a program that names itself: `MyShop/2.0 curl/8.5`.
    Part,
}

/// Returns the well-known agent that `user_agent` names, if any.
///
/// A scanner wins over every other name (`sqlmap googlebot`). A library wins over the name of a search engine, because
/// search engines name none, unless the library is named in a comment. Otherwise any name wins over a library, and the
/// longest name wins. `like Googlebot` names nothing.
///
/// Cost: one pass over at most the first 1,024 bytes, no allocation. The automaton of about 1,200 names is built at the
/// first call (some milliseconds) and takes about 270 KiB.
///
/// ```
/// use aiwaf_core::{BotClass, classify_bot};
///
/// let bot = classify_bot(b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)").unwrap();
/// assert_eq!((bot.class, bot.name), (BotClass::SearchEngine, "Googlebot"));
/// assert_eq!(classify_bot(b"sqlmap googlebot").unwrap().class, BotClass::Scanner);
/// assert_eq!(classify_bot(b"Mozilla/5.0 (Linux; Android 11; Cubot Note 20) Chrome/90.0"), None);
/// ```
pub fn classify(user_agent: &[u8]) -> Option<BotMatch> {
    let searched = user_agent.get(..MAX_SEARCHED).unwrap_or(user_agent);
    let mut scanner = None;
    let mut named: Option<Candidate> = None;
    let mut library = None;
    let mut first_library = None;
    CATALOG.as_ref()?.visit(searched, &mut |agent, start, end| {
        let candidate = Candidate { agent, start, end };
        match agent.class {
            BotClass::Scanner => candidate.replace_shorter(&mut scanner),
            BotClass::Library if start == 0 => candidate.replace_shorter(&mut first_library),
            BotClass::Library => candidate.replace_shorter(&mut library),
            _ => candidate.replace_shorter(&mut named),
        }
    });
    if let Some(scanner) = scanner {
        return Some(scanner.into_match(LibraryRole::Part));
    }
    let is_search_engine = named.is_some_and(|named| named.agent.class == BotClass::SearchEngine);
    if let Some(library) = first_library {
        // `PHP Server Monitor` is no use of PHP, and `http.rb/5.1 (Mastodon/4.2)` names the program in a comment.
        return Some(match named {
            Some(named) if named.start == 0 || !is_search_engine => named.into_match(LibraryRole::Part),
            _ => library.into_match(LibraryRole::Client),
        });
    }
    match (named, library) {
        (_, Some(library)) if is_search_engine && !is_comment(searched, library.start) => {
            Some(library.into_match(LibraryRole::Client))
        }
        (Some(named), _) => Some(named.into_match(LibraryRole::Part)),
        (None, Some(library)) => {
            let is_browser = claims_browser(searched);
            Some(library.into_match(if is_browser { LibraryRole::Browser } else { LibraryRole::Part }))
        }
        (None, None) => None,
    }
}

/// Reports whether `user_agent` begins as those of browsers do.
pub(crate) fn claims_browser(user_agent: &[u8]) -> bool {
    [&b"mozilla"[..], b"opera/"].into_iter().any(|start| {
        user_agent.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
    })
}

/// Reports whether byte `at` is within parentheses.
fn is_comment(user_agent: &[u8], at: usize) -> bool {
    let depth = user_agent.iter().take(at).fold(0_usize, |depth, byte| match byte {
        b'(' => depth + 1,
        b')' => depth.saturating_sub(1),
        _ => depth,
    });
    depth > 0
}

#[derive(Clone, Copy)]
struct Candidate {
    agent: Agent,
    start: usize,
    end: usize,
}

impl Candidate {
    /// Takes the place of a shorter name; of names of the same length, the first stays.
    fn replace_shorter(self, best: &mut Option<Self>) {
        if best.is_none_or(|best| self.agent.name.len() > best.agent.name.len()) {
            *best = Some(self);
        }
    }

    fn into_match(self, role: LibraryRole) -> BotMatch {
        let Self { agent, start, end } = self;
        let Agent { class, name, is_app_runtime, .. } = agent;
        BotMatch { class, name, start, end, is_app_runtime, role }
    }
}

#[cfg(test)]
mod tests;
