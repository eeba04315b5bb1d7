//! What an import changes, and doing it.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use aiwaf_core::{KeywordEntry, KeywordSource, ListChange, ListName, Lists, display_network};
use ipnet::IpNet;

use super::{Backup, BackupError, Invalid};
use crate::fit::fit;
use crate::manager::Manager;
use crate::memory::apply_fitting;

/// How a backup is imported. By default it is merged, for real, if all of it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// What happens to entries that the backup does not have.
    pub mode: ImportMode,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
    /// Leave out what is not valid instead of refusing everything.
    pub skip_invalid: bool,
}

/// What happens to entries that a backup does not have, of the lists that it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportMode {
    /// They stay. What is on both sides becomes what the backup says, except that automatic bans and learned keywords
    /// of the backup don't replace what people decided, never shorten a ban, and never lower a count. Importing twice
    /// is the same as once.
    #[default]
    Merge,
    /// They go: the lists become those of the backup, in its order.
    Replace,
}

/// What an import changed, or would change.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportReport {
    /// One for each list, in the order of [`ListName::ALL`].
    pub differences: [Difference; 5],
    /// What was left out because it is not valid; at most [`Backup::MAX_INVALID`] of it.
    pub skipped: Vec<Invalid>,
    /// How much more was left out.
    pub more_skipped: usize,
}

/// What changes on one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The list.
    pub list: ListName,
    /// What comes.
    pub added: Sample,
    /// What stays, with other details.
    pub changed: Sample,
    /// What goes.
    pub removed: Sample,
    /// How much stays as it is.
    pub unchanged: usize,
}

/// So many entries, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// How many.
    pub count: usize,
    /// The first ones, at most [`Sample::MAX_EXAMPLES`].
    pub examples: Vec<String>,
}

impl Sample {
    /// How many entries are named.
    pub const MAX_EXAMPLES: usize = 5;

    fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < Self::MAX_EXAMPLES {
            self.examples.push(name());
        }
    }
}

impl ImportReport {
    /// Whether anything changes.
    pub fn is_change(&self) -> bool {
        self.differences.iter().any(|list| list.added.count + list.changed.count + list.removed.count > 0)
    }
}

impl Manager {
    /// Puts a backup onto the lists: all of it in one transaction, or nothing.
    ///
    /// The report compares with the lists as they were just before; what others change at that moment may not be in it.
    ///
    /// # Errors
    /// [`BackupError::Invalid`] if a value is not valid, unless those are to be skipped, and [`BackupError::Store`] if
    /// the store fails. Nothing is changed then.
    pub fn import(&self, backup: &Backup, options: ImportOptions) -> Result<ImportReport, BackupError> {
        let (skipped, more_skipped) = (backup.invalid().to_vec(), backup.more_invalid());
        if !options.skip_invalid && !skipped.is_empty() {
            return Err(BackupError::Invalid { invalid: skipped, more: more_skipped });
        }
        let mut before = self.load()?.lists;
        let untouched = match options.mode {
            ImportMode::Merge => leave_out_untouched(&mut before, backup),
            ImportMode::Replace => 0,
        };
        let changes = match options.mode {
            ImportMode::Merge => merge(backup, &before),
            ImportMode::Replace => replace(backup),
        };
        let mut after = before.clone();
        apply_fitting(&mut after, &changes.iter().map(fit).collect::<Vec<_>>());
        let mut differences = differences(&before, &after);
        let blacklist = differences.iter_mut().filter(|difference| difference.list == ListName::Blacklist);
        blacklist.for_each(|difference| difference.unchanged += untouched);
        let report = ImportReport { differences, skipped, more_skipped };
        if !options.dry_run && before != after {
            self.apply(&changes)?;
        }
        Ok(report)
    }
}

/// Takes bans out that the backup does not name, and counts them. A merge leaves them alone, and to compare a million of
/// them takes longer than all else.
fn leave_out_untouched(before: &mut Lists, backup: &Backup) -> usize {
    let named: HashSet<IpNet> = backup.lists().blacklist.iter().map(|ban| ban.network).collect();
    let all = before.blacklist.len();
    before.blacklist.retain(|ban| named.contains(&ban.network));
    all - before.blacklist.len()
}

fn replace(backup: &Backup) -> Vec<ListChange> {
    let clear = backup.holds().iter().copied().map(ListChange::Clear);
    clear.chain(additions(backup, |keyword| Some(keyword.clone()))).collect()
}

fn merge(backup: &Backup, before: &Lists) -> Vec<ListChange> {
    let known: HashMap<&str, &KeywordEntry> =
        before.keywords.iter().map(|entry| (entry.keyword.as_str(), entry)).collect();
    additions(backup, |keyword| match known.get(keyword.keyword.as_str()) {
        // Counts of learned keywords add up, so that only what is missing is added.
        Some(old) if keyword.source == KeywordSource::Learned => {
            let missing = keyword.count.saturating_sub(old.count);
            (old.source == KeywordSource::Learned && missing > 0)
                .then(|| KeywordEntry { count: missing, ..keyword.clone() })
        }
        _ => Some(keyword.clone()),
    })
    .collect()
}

/// All entries of a backup. Whitelisting comes last, so that it does not keep automatic bans of the backup away.
fn additions(
    backup: &Backup,
    keyword: impl Fn(&KeywordEntry) -> Option<KeywordEntry>,
) -> impl Iterator<Item = ListChange> {
    let lists = backup.lists();
    let bans = lists.blacklist.iter().cloned().map(ListChange::AddBlacklist);
    let whitelist = lists.whitelist.iter().cloned().map(ListChange::AddWhitelist);
    let keywords = lists.keywords.iter().filter_map(keyword).map(ListChange::AddKeyword);
    let countries = lists.geo_blocked_countries.iter().cloned().map(ListChange::AddCountry);
    let paths = lists.path_exemptions.iter().cloned().map(ListChange::AddPathExemption);
    bans.chain(whitelist).chain(keywords).chain(countries).chain(paths)
}

fn differences(before: &Lists, after: &Lists) -> [Difference; 5] {
    ListName::ALL.map(|list| match list {
        ListName::Whitelist => {
            compare(list, &before.whitelist, &after.whitelist, |entry| entry.network, display_network)
        }
        ListName::Blacklist => {
            compare(list, &before.blacklist, &after.blacklist, |entry| entry.network, display_network)
        }
        ListName::Keywords => {
            compare(list, &before.keywords, &after.keywords, |entry| entry.keyword.clone(), Clone::clone)
        }
        ListName::GeoBlockedCountries => compare(
            list,
            &before.geo_blocked_countries,
            &after.geo_blocked_countries,
            |entry| entry.country,
            ToString::to_string,
        ),
        ListName::PathExemptions => compare(
            list,
            &before.path_exemptions,
            &after.path_exemptions,
            |entry| entry.path.clone(),
            Clone::clone,
        ),
    })
}

fn compare<T: PartialEq, K: Eq + Hash>(
    list: ListName,
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> K,
    name: impl Fn(&K) -> String,
) -> Difference {
    let mut old: HashMap<K, &T> = before.iter().map(|entry| (key(entry), entry)).collect();
    let (mut added, mut changed, mut removed) = (Sample::default(), Sample::default(), Sample::default());
    let mut unchanged = 0;
    for entry in after {
        let key = key(entry);
        match old.remove(&key) {
            None => added.add(|| name(&key)),
            Some(old) if old == entry => unchanged += 1,
            Some(_) => changed.add(|| name(&key)),
        }
    }
    for key in before.iter().map(key).filter(|key| old.contains_key(key)) {
        removed.add(|| name(&key));
    }
    Difference { list, added, changed, removed, unchanged }
}
