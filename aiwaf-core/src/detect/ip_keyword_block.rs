//! `ip_keyword_block`: banned addresses and words that only attackers ask for.

use serde::{Deserialize, Serialize};

use crate::check::{SettingsError, words};
use crate::decode::Buffer;
use crate::detect::{BuiltIn, Detector, DetectorError, Facts, Head, Inputs};
use crate::lists::{KeywordClass, MAX_KEYWORD, fold};
use crate::protection::{Mode, Protection};
use crate::verdict::{BanWeight, Field, Finding, Match, Reason};

/// `[ip_keyword_block]`: what is set for banned addresses and keywords.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IpKeywordBlockSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many keyword hits within `bans.window` ban the client; 0 is never. Default: 1.
    pub ban_after: u32,
    /// Keywords that never block and are never learned (the original's `AIWAF_EXEMPT_KEYWORDS`). Default: none.
    pub exempt_keywords: Vec<String>,
    /// Words that are part of this site's own paths (`AIWAF_ALLOWED_PATH_KEYWORDS`): a path that holds one of them as
    /// a word is not blocked by a learned keyword. Default: none.
    pub allowed_path_keywords: Vec<String>,
}

impl IpKeywordBlockSettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        words("ip_keyword_block.exempt_keywords", &self.exempt_keywords, MAX_KEYWORD)?;
        words("ip_keyword_block.allowed_path_keywords", &self.allowed_path_keywords, MAX_KEYWORD)
    }
}

impl Default for IpKeywordBlockSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            exempt_keywords: Vec::new(),
            allowed_path_keywords: Vec::new(),
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
    /// - A keyword that a person added counts in path and query.
    /// - A secret (`.env`, `.git`) counts in the path, unless the matching route is named so.
    /// - A script (`.php`, `wp-admin`) counts likewise, but neither for an asset's folder (`/wp-content/x.png`) nor when
    ///   a browser says that it asks on behalf of a page: a link to a page that has moved is no attack. Whoever forges
    ///   that learns that there is no such script.
    /// - A learned keyword counts only in paths that the site does not know and that are no assets.
    ///
    /// A hit of a browser that asks on behalf of a page bans nobody: a page can make its readers ask for anything.
    fn head(&self, head: &Head<'_>, (): &mut (), (): &mut ()) -> Option<Finding> {
        if head.context.applied.blacklist_only {
            return None;
        }
        let (path, asset, keywords) = (head.path, head.is_asset(), &head.lists.keywords);
        let from_page = head.facts.has(Facts::FROM_PAGE);
        let in_path = keywords.find_in_path(path, |hit| match hit.class {
            KeywordClass::Manual => true,
            KeywordClass::Secret => !in_route(head, hit.keyword),
            KeywordClass::Script => {
                let mere_folder = asset && hit.keyword.starts_with("wp-");
                !mere_folder && !in_route(head, hit.keyword) && !from_page
            }
            KeywordClass::Learned => !asset && !self.allows(path) && !head.is_known_path(),
        });
        let mut query = Buffer::new();
        let (hit, field, value) = if let Some(hit) = in_path {
            (hit, Field::Path, path)
        } else {
            let hit = keywords.find_in_query(head.request.query, &mut query)?;
            (hit, Field::Query, &*query)
        };
        let matched = Match::new(field, value, hit.start, hit.end);
        let finding = Finding::block(Protection::IpKeywordBlock, Reason::Keyword(hit.keyword.into()));
        // `<img src="/.env">` in a forum must not get its readers banned.
        let weight = if from_page { BanWeight::Nothing } else { BanWeight::Full };
        Some(finding.with_match(matched).with_weight(weight))
    }
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
