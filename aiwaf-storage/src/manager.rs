//! The lists as programs and commands handle them: checked input, clear answers.

use std::sync::Arc;

use aiwaf_core::{
    BlacklistEntry, CountryCode, CountryEntry, InvalidCountryCode, InvalidNetwork, KeywordEntry,
    KeywordSource, ListChange, ListName, PathExemptionEntry, Timestamp, WhitelistEntry, parse_network,
};
use ipnet::IpNet;

use crate::error::{StoreError, shorten};
use crate::fit::{MAX_KEYWORD, MAX_PATH};
use crate::store::{Loaded, Store};

/// Lists, adds and removes, and says whether something changed.
///
/// Every value is checked before anything is stored. Whoever adds several at once gets all or none: the error names the
/// one that is wrong. What is added here counts as decided by a person. Calls wait for the store; running services
/// notice the change within a second.
///
/// ```
/// use std::sync::Arc;
/// use aiwaf_core::Timestamp;
/// use aiwaf_storage::{Manager, MemoryStore};
///
/// let manager = Manager::new(Arc::new(MemoryStore::default()));
/// let now = Timestamp::from_unix_seconds(1_700_000_000.0);
/// assert!(manager.add_to_blacklist("203.0.113.0/24", "scanner", now)?);
/// assert!(!manager.add_to_blacklist("203.0.113.0/24", "scanner", now)?);
/// let error = manager.add_to_whitelist("banana", "", now).unwrap_err();
/// assert!(error.to_string().starts_with("\"banana\" is no IP address"));
/// # Ok::<(), aiwaf_storage::ManagerError>(())
/// ```
#[derive(Clone)]
pub struct Manager {
    store: Arc<dyn Store>,
}

/// How much is on the lists, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Networks on the whitelist.
    pub whitelisted: usize,
    /// Bans in force.
    pub blacklisted: usize,
    /// Blocked keywords.
    pub keywords: usize,
    /// Blocked countries.
    pub geo_blocked_countries: usize,
    /// Exempt paths.
    pub path_exemptions: usize,
    /// The kind of storage, as [`Store::mode`] says it.
    pub mode: &'static str,
    /// The place, as [`Store::location`] says it.
    pub location: Option<(&'static str, String)>,
    /// Rows that can't be understood.
    pub problems: usize,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Neither an address nor a network.
    #[error(transparent)]
    Network(#[from] InvalidNetwork),
    /// A network that holds every client.
    #[error("\"{0}\" is every client there is: give a smaller network")]
    EveryClient(IpNet),
    /// No country code.
    #[error(transparent)]
    Country(#[from] InvalidCountryCode),
    /// No keyword that can be blocked.
    #[error("{text:?} is no keyword: {what}")]
    Keyword {
        /// The text, shortened.
        text: String,
        /// What is wrong, and what to give instead.
        what: String,
    },
    /// No path that can be exempt.
    #[error("{text:?} is no path to exempt: {what}")]
    Path {
        /// The text, shortened.
        text: String,
        /// What is wrong, and what to give instead.
        what: String,
    },
}

impl Manager {
    /// Manages the lists of a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// All lists and the rows that can't be understood; bans that ended are among them.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        self.store.load()
    }

    /// Only lists that are wanted, as [`Store::load_only`].
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        self.store.load_only(wanted)
    }

    /// The whitelist, in the order of addition.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub fn list_whitelist(&self) -> Result<Vec<WhitelistEntry>, StoreError> {
        Ok(self.load_only(&[ListName::Whitelist])?.lists.whitelist)
    }

    /// The bans in force at `time`, in the order of addition.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub fn list_blacklist(&self, time: Timestamp) -> Result<Vec<BlacklistEntry>, StoreError> {
        let mut bans = self.load_only(&[ListName::Blacklist])?.lists.blacklist;
        bans.retain(|ban| ban.is_active(time));
        Ok(bans)
    }

    /// The blocked keywords, in the order of addition.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub fn list_keywords(&self) -> Result<Vec<KeywordEntry>, StoreError> {
        Ok(self.load_only(&[ListName::Keywords])?.lists.keywords)
    }

    /// The blocked countries, in the order of addition.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub fn list_geo_blocked_countries(&self) -> Result<Vec<CountryEntry>, StoreError> {
        Ok(self.load_only(&[ListName::GeoBlockedCountries])?.lists.geo_blocked_countries)
    }

    /// The exempt paths, in the order of addition.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub fn list_path_exemptions(&self) -> Result<Vec<PathExemptionEntry>, StoreError> {
        Ok(self.load_only(&[ListName::PathExemptions])?.lists.path_exemptions)
    }

    /// How much is on the lists at `time`.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub fn stats(&self, time: Timestamp) -> Result<Stats, StoreError> {
        let loaded = self.load()?;
        Ok(Stats {
            whitelisted: loaded.lists.whitelist.len(),
            blacklisted: loaded.lists.blacklist.iter().filter(|ban| ban.is_active(time)).count(),
            keywords: loaded.lists.keywords.len(),
            geo_blocked_countries: loaded.lists.geo_blocked_countries.len(),
            path_exemptions: loaded.lists.path_exemptions.len(),
            mode: self.store.mode(),
            location: self.store.location(),
            problems: loaded.problems.len() + loaded.more_problems,
        })
    }

    /// Empties a list.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be changed.
    pub fn clear(&self, list: ListName) -> Result<bool, StoreError> {
        Ok(self.store.apply(&[ListChange::Clear(list)])?.contains(&true))
    }

    /// Carries out changes that are made elsewhere, in one transaction, and says of each whether it altered anything.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be stored.
    pub fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        self.store.apply(changes)
    }

    fn apply_all<T>(
        &self,
        texts: &[&str],
        read: impl Fn(&str) -> Result<T, ManagerError>,
        change: impl Fn(T) -> ListChange,
    ) -> Result<Vec<bool>, ManagerError> {
        let changes: Vec<ListChange> =
            texts.iter().map(|text| read(text).map(&change)).collect::<Result<_, _>>()?;
        Ok(self.store.apply(&changes)?)
    }
}

/// One value and many at once, for each list.
macro_rules! edits {
    ($(
        $(#[$doc:meta])*
        $one:ident, $many:ident ($($argument:ident: $kind:ty),*) = $read:ident => |$value:ident| $change:expr;
    )*) => {
        impl Manager {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`ManagerError`] if the text is not valid or the store fails.
                pub fn $one(&self, text: &str $(, $argument: $kind)*) -> Result<bool, ManagerError> {
                    Ok(self.$many(&[text] $(, $argument)*)?.contains(&true))
                }

                $(#[$doc])*
                /// For several at once; says of each whether it altered anything.
                ///
                /// # Errors
                /// [`ManagerError`] if one of the texts is not valid or the store fails; nothing is changed then.
                pub fn $many(&self, texts: &[&str] $(, $argument: $kind)*) -> Result<Vec<bool>, ManagerError> {
                    self.apply_all(texts, $read, |$value| $change)
                }
            )*
        }
    };
}

edits! {
    /// Whitelists an address or a network, which then passes every protection, though it may be banned as well.
    add_to_whitelist, add_all_to_whitelist(reason: &str, time: Timestamp) = clients =>
        |network| ListChange::AddWhitelist(WhitelistEntry { network, reason: reason.to_owned(), added: Some(time) });
    /// Takes an address or a network off the whitelist.
    remove_from_whitelist, remove_all_from_whitelist() = network => |network| ListChange::RemoveWhitelist(network);
    /// Bans an address or a network until it is removed.
    add_to_blacklist, add_all_to_blacklist(reason: &str, time: Timestamp) = clients =>
        |network| ListChange::AddBlacklist(BlacklistEntry::manual(network, reason, time));
    /// Bans an address or a network until `end`, or until it is removed before.
    add_to_blacklist_until, add_all_to_blacklist_until(reason: &str, time: Timestamp, end: Timestamp) = clients =>
        |network| ListChange::AddBlacklist(BlacklistEntry {
            expires: Some(end),
            ..BlacklistEntry::manual(network, reason, time)
        });
    /// Ends the ban of an address or a network.
    remove_from_blacklist, remove_all_from_blacklist() = network => |network| ListChange::RemoveBlacklist(network);
    /// Blocks a keyword, in lower case, in paths and queries everywhere.
    add_keyword, add_keywords(time: Timestamp) = keyword => |keyword| ListChange::AddKeyword(KeywordEntry {
        keyword,
        count: 1,
        source: KeywordSource::Manual,
        added: Some(time),
    });
    /// Stops blocking a keyword.
    remove_keyword, remove_keywords() = known_keyword => |keyword| ListChange::RemoveKeyword(keyword);
    /// Blocks a country, by its two-letter code.
    add_geo_blocked_country, add_geo_blocked_countries(time: Timestamp) = country =>
        |country| ListChange::AddCountry(CountryEntry { country, added: Some(time) });
    /// Stops blocking a country.
    remove_geo_blocked_country, remove_geo_blocked_countries() = country =>
        |country| ListChange::RemoveCountry(country);
    /// Exempts a path (`/health`), a directory (`/static/`) or a wildcard (`*.css`).
    add_path_exemption, add_path_exemptions(reason: &str, time: Timestamp) = path =>
        |path| ListChange::AddPathExemption(PathExemptionEntry { path, reason: reason.to_owned(), added: Some(time) });
    /// Stops exempting a path.
    remove_path_exemption, remove_path_exemptions() = known_path => |path| ListChange::RemovePathExemption(path);
}

fn network(text: &str) -> Result<IpNet, ManagerError> {
    Ok(parse_network(text)?)
}

/// A network to be added. All clients at once are a slip: it would switch everything off, or lock everybody out.
pub(crate) fn clients(text: &str) -> Result<IpNet, ManagerError> {
    let network = network(text)?;
    if network.prefix_len() == 0 { Err(ManagerError::EveryClient(network)) } else { Ok(network) }
}

pub(crate) fn country(text: &str) -> Result<CountryCode, ManagerError> {
    Ok(text.parse::<CountryCode>()?)
}

/// A keyword to be removed, which a file may hold although it could not be added.
fn known_keyword(text: &str) -> Result<String, ManagerError> {
    let keyword = text.trim().to_lowercase();
    let what = if keyword.is_empty() {
        "it is empty: give a word that only attackers ask for, such as .env"
    } else if keyword.contains(char::is_control) {
        "it has control characters: give plain text"
    } else if keyword.len() > MAX_KEYWORD {
        return Err(ManagerError::Keyword {
            text: shorten(text),
            what: format!("it is longer than {MAX_KEYWORD} bytes: give the part that matters"),
        });
    } else {
        return Ok(keyword);
    };
    Err(ManagerError::Keyword { text: shorten(text), what: what.to_owned() })
}

/// A keyword to be added. One character stands in nearly every request, so it would lock everybody out.
pub(crate) fn keyword(text: &str) -> Result<String, ManagerError> {
    let keyword = known_keyword(text)?;
    if keyword.chars().nth(1).is_some() {
        return Ok(keyword);
    }
    let what = "one character stands in nearly every request: give a longer one".to_owned();
    Err(ManagerError::Keyword { text: shorten(text), what })
}

fn known_path(text: &str) -> Result<String, ManagerError> {
    let path = text.trim();
    let what = if path.is_empty() {
        "it is empty: give one such as /health, /static/ or *.css".to_owned()
    } else if path.contains(char::is_control) {
        "it has control characters: give the path as it stands in the address bar".to_owned()
    } else if path.len() > MAX_PATH {
        format!("it is longer than {MAX_PATH} bytes: give the directory instead")
    } else {
        return Ok(path.to_owned());
    };
    Err(ManagerError::Path { text: shorten(text), what })
}

/// A path to be added; a wildcard that fits everything would switch the protections off.
pub(crate) fn path(text: &str) -> Result<String, ManagerError> {
    let path = known_path(text)?;
    let what = if path.contains(['?', '#']) {
        let plain = path.split(['?', '#']).next().unwrap_or_default();
        format!("queries don't count: give {:?}", shorten(plain))
    } else if path.contains('*') && path.chars().all(|letter| "*./".contains(letter)) {
        "it would exempt everything: give one such as *.css".to_owned()
    } else if let Some(plain) = without_detours(&path) {
        format!("a path that is written so gets no exemption: did you mean {:?}?", shorten(&plain))
    } else if path.starts_with('/') || path.contains('*') {
        return Ok(path);
    } else {
        format!(
            "it must begin with a slash or be a wildcard such as *.css: did you mean {:?}?",
            format!("/{}", shorten(&path))
        )
    };
    Err(ManagerError::Path { text: shorten(text), what })
}

/// The path without `.`, `..` and doubled slashes; `None` if it has none.
fn without_detours(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let (inner, end) = match path.strip_prefix('/')? {
        "" => return None,
        rest => rest.strip_suffix('/').map_or((rest, ""), |inner| (inner, "/")),
    };
    for part in inner.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if parts.is_empty() { "" } else { end };
    let plain = format!("/{}{end}", parts.join("/"));
    (plain != path).then_some(plain)
}
