//! `[bots]`: what each class of automatic clients may do.

use serde::{Deserialize, Serialize};

use super::BotClass;

/// What a class of automatic clients may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotPolicy {
    /// `header_validation` does not apply. All other protections do, because anyone can send the name of a bot.
    Allow,
    /// The ordinary rules apply.
    Rules,
    /// `header_validation` blocks the class.
    Block,
}

/// `[bots]`: what each class of automatic clients may do, by the user agent that they send.
///
/// `header_validation` carries it out, so it does nothing where that protection does not run, and exempt paths such as
/// `/robots.txt` stay open to blocked classes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BotSettings {
    /// Search engines and web archives. Default: rules.
    pub search_engine: BotPolicy,
    /// Link previews and webhooks. Default: rules.
    pub preview: BotPolicy,
    /// Health probes and monitoring services. Default: rules.
    pub monitor: BotPolicy,
    /// Feed and podcast readers. Default: rules.
    pub feed: BotPolicy,
    /// Collectors of training data and AI assistants. Default: rules.
    pub ai_crawler: BotPolicy,
    /// Search optimization, marketing and research. Default: rules.
    pub seo: BotPolicy,
    /// HTTP libraries, commands, browser automation and the runtimes of apps. Default: rules.
    pub library: BotPolicy,
    /// Attack tools and scans of the whole Internet. Default: block.
    pub scanner: BotPolicy,
}

impl Default for BotSettings {
    fn default() -> Self {
        Self {
            search_engine: BotPolicy::Rules,
            preview: BotPolicy::Rules,
            monitor: BotPolicy::Rules,
            feed: BotPolicy::Rules,
            ai_crawler: BotPolicy::Rules,
            seo: BotPolicy::Rules,
            library: BotPolicy::Rules,
            scanner: BotPolicy::Block,
        }
    }
}

impl BotSettings {
    /// The policy for `class`.
    pub fn policy(&self, class: BotClass) -> BotPolicy {
        match class {
            BotClass::SearchEngine => self.search_engine,
            BotClass::Preview => self.preview,
            BotClass::Monitor => self.monitor,
            BotClass::Feed => self.feed,
            BotClass::AiCrawler => self.ai_crawler,
            BotClass::Seo => self.seo,
            BotClass::Library => self.library,
            BotClass::Scanner => self.scanner,
        }
    }
}
