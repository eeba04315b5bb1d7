//! `[attack_signatures]`: what is looked for, how sure it has to be, and where it does not count.

use serde::{Deserialize, Serialize};

use super::category::AttackCategory;
use crate::check::{SettingsError, value, within};
use crate::protection::Mode;

/// `[attack_signatures]`: what is set for the inspection of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttackSignaturesSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
    /// Which rules run: 1 is what hardly any honest client trips, 4 is everything that is odd. Default: 1.
    pub paranoia_level: u8,
    /// The score at which a request is denied: critical rules add 5, error 4, warning 3, notice 2. 1 to 1,000.
    /// Default: 5.
    pub inbound_threshold: u32,
    /// Kinds of attacks that are not looked for. Default: none.
    pub disabled_categories: Vec<AttackCategory>,
    /// Rules that don't run, by id. Default: none.
    pub disabled_rules: Vec<String>,
    /// Rules that count as a mere notice, by id: they are listed, but don't deny a request alone. Default: none.
    pub demoted_rules: Vec<String>,
    /// Files with rules of your own, beside those that come with AIWAF. Core does no I/O: who builds the engine reads
    /// them and gives it their texts. Default: none.
    ///
    /// Such a file is written like `rules/*.toml` of this crate:
    ///
    /// ```toml
    /// category = "probe"             # one of AttackCategory
    ///
    /// [words]                        # lists that patterns and literals may name as @{backups}
    /// backups = ["old-site", "copy-of-site"]
    ///
    /// [[rule]]
    /// id = "own-backup-folder"
    /// description = "A folder where this site's backups lay"
    /// why = "No page links to it any more."
    /// fields = ["path"]              # default: whatever may be injected into
    /// literals = ["@{backups}"]      # one of these has to be there before the pattern is tried
    /// pattern = "^/@{backups}/"      # a regular expression for bytes, any case, white space ignored
    /// matches = ["/old-site/x"]      # examples: what has to match, and what must not
    /// passes = ["/old-sites"]
    /// ```
    ///
    /// A blank in a literal stands for any white space. Further keys: `paranoia` (1 to 4, default 1), `severity` (default
    /// `critical`), `forms`, `headers`, `bytes` (one of these has to be there as well), `next_words` (one of these words
    /// has to stand behind one of `bytes`, past white space, quotes and opening brackets, if a word stands there at all),
    /// and `from_other_site = true` for what counts only where a browser follows a link of another site.
    pub rule_files: Vec<String>,
    /// Where rules don't count. Default: nowhere.
    pub exclusions: Vec<SignatureExclusion>,
    /// Maximum number of body bytes that are judged before the service gets the request, 1,024 to 16,777,216. The rest is
    /// judged in flight, chunk by chunk, before the service sees it. Default: 65,536.
    pub max_body_bytes: usize,
    /// Treatment of bodies longer than `max_body_bytes`: `inspect` judges the rest in flight, `block` refuses them, `pass`
    /// lets the rest through unseen and logs that. Default: inspect.
    pub body_overflow: BodyOverflow,
    /// So many parameters of a query, a form or a document are taken apart, 16 to 1,000,000; the rest is judged in one
    /// piece, which rules for whole values don't see. Default: 65,536, which 64 KiB can't have.
    pub max_fields: usize,
    /// So many levels of JSON and XML are followed, 4 to 200. Default: 128, as deep as serde goes.
    pub max_depth: usize,
    /// Bytes at the beginning of each uploaded file that are judged as text, 0 to 1,048,576; behind them only what can run
    /// is judged: scripts, serialized objects. Default: 8,192.
    pub max_file_bytes: usize,
}

/// Treatment of bodies that are longer than is judged before the service gets the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyOverflow {
    /// The rest is judged in flight.
    #[default]
    Inspect,
    /// The request is blocked.
    Block,
    /// The rest passes unseen, which is logged.
    Pass,
}

impl AttackSignaturesSettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        within("attack_signatures.paranoia_level", self.paranoia_level, 1..=4)?;
        within("attack_signatures.inbound_threshold", self.inbound_threshold, 1..=1000)?;
        within("attack_signatures.max_body_bytes", self.max_body_bytes, 1024..=16 * 1024 * 1024)?;
        within("attack_signatures.max_fields", self.max_fields, 16..=1_000_000)?;
        within("attack_signatures.max_depth", self.max_depth, 4..=200)?;
        within("attack_signatures.max_file_bytes", self.max_file_bytes, 0..=1024 * 1024)?;
        for (exclusion, number) in self.exclusions.iter().zip(1..) {
            if *exclusion == SignatureExclusion::default() {
                let key = format!("attack_signatures.exclusions[{number}]");
                return Err(value(&key, "{}", "at least one of path, parameter, rule and category"));
            }
        }
        Ok(())
    }
}

impl Default for AttackSignaturesSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
            paranoia_level: 1,
            inbound_threshold: 5,
            disabled_categories: Vec::new(),
            disabled_rules: Vec::new(),
            demoted_rules: Vec::new(),
            rule_files: Vec::new(),
            exclusions: Vec::new(),
            body_overflow: BodyOverflow::Inspect,
            max_body_bytes: 64 * 1024,
            max_fields: 65_536,
            max_depth: 128,
            max_file_bytes: 8 * 1024,
        }
    }
}

/// Where rules don't count: every condition that is given has to be met, and one has to be given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignatureExclusion {
    /// Paths that begin so, in normal form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The parameter, header, cookie or body field of this name, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The rule of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// All rules of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<AttackCategory>,
}
