//! `ip_keyword_block`: banned addresses and words that only attackers ask for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bans::ledger::Evidence;
use crate::check::{SettingsError, seconds_within, words};
use crate::decode::Buffer;
use crate::detect::{BuiltIn, Detector, DetectorError, Facts, Head, Inputs};
use crate::lists::{KeywordClass, KeywordHit, MAX_KEYWORD, fold};
use crate::protection::{Mode, Protection};
use crate::scanning_paths::is_scanning_path;
use crate::seconds;
use crate::verdict::{Field, Finding, Match, Reason};

/// `[ip_keyword_block]`: what is set for banned addresses and keywords.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IpKeywordBlockSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
    /// Keywords that never block and are never learned (the original's `AIWAF_EXEMPT_KEYWORDS`). Default: none.
    pub exempt_keywords: Vec<String>,
    /// Words that are part of this site's own paths (`AIWAF_ALLOWED_PATH_KEYWORDS`): a path that holds one of them as
    /// a word is not blocked by a learned keyword. Default: none.
    pub allowed_path_keywords: Vec<String>,
    /// How long a learned keyword blocks after it was seen last, in seconds, 3,600 to 31,536,000. Default: 604,800 (a
    /// week).
    #[serde(with = "seconds")]
    pub learned_ttl: Duration,
}

impl IpKeywordBlockSettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        words("ip_keyword_block.exempt_keywords", &self.exempt_keywords, MAX_KEYWORD)?;
        words("ip_keyword_block.allowed_path_keywords", &self.allowed_path_keywords, MAX_KEYWORD)?;
        seconds_within("ip_keyword_block.learned_ttl", self.learned_ttl, 3600..=365 * 86_400)
    }
}

impl Default for IpKeywordBlockSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
            exempt_keywords: Vec::new(),
            allowed_path_keywords: Vec::new(),
            learned_ttl: Duration::from_hours(7 * 24),
        }
    }
}

/// Blocks banned clients and paths that hold a keyword. The lists come with each request, as a snapshot; the engine
/// itself refuses banned clients, before anything else of a request is looked at.
pub(crate) struct IpKeywordBlock {
    allowed_path_keywords: Vec<Box<[u8]>>,
}

impl IpKeywordBlock {
    pub(crate) fn new(settings: &IpKeywordBlockSettings) -> Self {
        let allowed_path_keywords = settings
            .allowed_path_keywords
            .iter()
            .map(|word| fold(word).into_bytes().into_boxed_slice())
            .filter(|word| !word.is_empty())
            .collect();
        Self { allowed_path_keywords }
    }

    fn allows(&self, path: &[u8]) -> bool {
        !self.allowed_path_keywords.is_empty()
            && path
                .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-' && *byte != b'_')
                .any(|word| self.allowed_path_keywords.iter().any(|allowed| **allowed == *word))
    }
}

impl BuiltIn for IpKeywordBlock {
    type Settings = IpKeywordBlockSettings;

    fn build(settings: &IpKeywordBlockSettings, _: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings))
    }
}

impl Detector for IpKeywordBlock {
    type Client = ();
    type Request = ();

    /// The first keyword that blocks this request.
    ///
    /// - A keyword that a person added counts as typed, in path and query.
    /// - A secret (`.env`, `.git`) counts as a segment of the path or its extension.
    /// - A script (`.php`, `wp-admin`) counts likewise, but neither for an asset's folder (`/wp-content/x.png`) nor when
    ///   a browser says that it asks on behalf of a page: a link to a page that has moved is no attack. A client that
    ///   forges that learns that there is no such script.
    /// - A learned keyword counts only where it is the last segment or most of it, and not for a request from a page of
    ///   this site, nor after `learned_ttl` without a new sighting.
    ///
    /// But for what a person added, none counts in paths that the site knows, nor where the route is named so.
    fn head(&self, head: &Head<'_>, (): &mut (), (): &mut ()) -> Option<Finding> {
        if head.context.applied.blacklist_only {
            return None;
        }
        let (path, keywords) = (head.path, &head.lists.keywords);
        let in_path = keywords.find_in_path(path, |hit| self.counts(head, hit));
        let mut query = Buffer::new();
        let (hit, field, value) = if let Some(hit) = in_path {
            (hit, Field::Path, path)
        } else {
            let hit = keywords.find_in_query(head.request.query, &mut query)?;
            (hit, Field::Query, &*query)
        };
        let evidence = match hit.class {
            KeywordClass::Manual | KeywordClass::Secret => Evidence::MEDIUM,
            KeywordClass::Script if is_scanning_path(path) => Evidence::MEDIUM,
            KeywordClass::Script | KeywordClass::Learned => Evidence::LOW,
        };
        let matched = Match::new(field, value, hit.start, hit.end);
        let finding = Finding::block(Protection::IpKeywordBlock, Reason::Keyword(hit.keyword.into()));
        Some(finding.with_match(matched).with_evidence(evidence))
    }
}

impl IpKeywordBlock {
    /// Reports whether a keyword in the path blocks this request.
    fn counts(&self, head: &Head<'_>, hit: &KeywordHit<'_>) -> bool {
        let asset = head.is_asset();
        match hit.class {
            KeywordClass::Manual => true,
            KeywordClass::Secret => !is_own(head, hit.keyword),
            KeywordClass::Script => {
                let mere_folder = asset && hit.keyword.starts_with("wp-");
                !mere_folder && !head.facts.has(Facts::FROM_PAGE) && !is_own(head, hit.keyword)
            }
            KeywordClass::Learned => {
                !asset
                    && !head.lists.keywords.is_expired(hit, head.context.time)
                    && dominates(head.path, hit)
                    && !head.facts.has(Facts::FROM_OWN_SITE)
                    && !self.allows(head.path)
                    && !head.is_known_path()
            }
        }
    }
}

/// Reports whether a keyword is most of the last segment of the path.
fn dominates(path: &[u8], hit: &KeywordHit<'_>) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let begin = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    hit.start >= begin && (hit.end - hit.start) * 2 >= path.len() - begin
}

/// Reports whether the site itself has a path with the keyword: the site has answered this path to several clients, or the
/// route is named so. A parameter of a route (`/{page}`) names nothing.
fn is_own(head: &Head<'_>, keyword: &str) -> bool {
    let is_plain_route = head.route.is_some_and(|route| !route.contains(['{', ':', '<', '*']));
    is_plain_route || in_route(head, keyword) || head.site.is_known(head.context.path_hash)
}

/// Reports whether the route that will answer is itself named with the keyword (`/legacy.php`), parameters not counted.
fn in_route(head: &Head<'_>, keyword: &str) -> bool {
    head.route.is_some_and(|route| {
        route.split('/').filter(|segment| !segment.contains('{')).any(|segment| {
            segment.len() >= keyword.len()
                && segment
                    .as_bytes()
                    .windows(keyword.len())
                    .any(|part| part.eq_ignore_ascii_case(keyword.as_bytes()))
        })
    })
}
