//! Entries from outside, one after the other, checked by the rules of the manager and bounded by those of the stores.

use std::collections::HashMap;
use std::hash::Hash;

use aiwaf_core::{
    BlacklistEntry, CountryCode, CountryEntry, KeywordEntry, ListChange, ListName, PathExemptionEntry,
    WhitelistEntry,
};
use ipnet::IpNet;

use super::{Backup, Invalid};
use crate::fit::fit;
use crate::manager::{self, ManagerError};

/// A backup in the making. Of entries with the same key the last one counts, at the place of the first.
#[derive(Default)]
pub(super) struct Draft {
    backup: Backup,
    whitelist: HashMap<IpNet, usize>,
    blacklist: HashMap<IpNet, usize>,
    keywords: HashMap<String, usize>,
    countries: HashMap<CountryCode, usize>,
    paths: HashMap<String, usize>,
}

impl Draft {
    /// Notes that something is not valid.
    pub(super) fn refuse(&mut self, place: impl Into<String>, line: Option<u64>, what: impl Into<String>) {
        if self.is_full() {
            self.backup.more_invalid += 1;
        } else {
            self.backup.invalid.push(Invalid { place: place.into(), line, what: what.into() });
        }
    }

    /// Whether no more of what is not valid is described.
    pub(super) fn is_full(&self) -> bool {
        self.backup.invalid.len() >= Backup::MAX_INVALID
    }

    pub(super) fn network(&mut self, place: &str, line: Option<u64>, text: &str) -> Option<IpNet> {
        self.accept(place, line, manager::clients(text))
    }

    pub(super) fn keyword(&mut self, place: &str, line: Option<u64>, text: &str) -> Option<String> {
        self.accept(place, line, manager::keyword(text))
    }

    pub(super) fn country(&mut self, place: &str, line: Option<u64>, text: &str) -> Option<CountryCode> {
        self.accept(place, line, manager::country(text))
    }

    pub(super) fn path(&mut self, place: &str, line: Option<u64>, text: &str) -> Option<String> {
        self.accept(place, line, manager::path(text))
    }

    fn accept<T>(&mut self, place: &str, line: Option<u64>, value: Result<T, ManagerError>) -> Option<T> {
        value.map_err(|error| self.refuse(place, line, error.to_string())).ok()
    }

    pub(super) fn put_whitelist(&mut self, entry: WhitelistEntry) {
        if let Some(ListChange::AddWhitelist(entry)) = fit(&ListChange::AddWhitelist(entry)) {
            put(&mut self.backup.lists.whitelist, &mut self.whitelist, entry.network, entry);
        }
    }

    pub(super) fn put_blacklist(&mut self, entry: BlacklistEntry) {
        if let Some(ListChange::AddBlacklist(entry)) = fit(&ListChange::AddBlacklist(entry)) {
            put(&mut self.backup.lists.blacklist, &mut self.blacklist, entry.network, entry);
        }
    }

    pub(super) fn put_keyword(&mut self, entry: KeywordEntry) {
        if let Some(ListChange::AddKeyword(entry)) = fit(&ListChange::AddKeyword(entry)) {
            put(&mut self.backup.lists.keywords, &mut self.keywords, entry.keyword.clone(), entry);
        }
    }

    pub(super) fn put_country(&mut self, entry: CountryEntry) {
        if let Some(ListChange::AddCountry(entry)) = fit(&ListChange::AddCountry(entry)) {
            put(&mut self.backup.lists.geo_blocked_countries, &mut self.countries, entry.country, entry);
        }
    }

    pub(super) fn put_path(&mut self, entry: PathExemptionEntry) {
        if let Some(ListChange::AddPathExemption(entry)) = fit(&ListChange::AddPathExemption(entry)) {
            put(&mut self.backup.lists.path_exemptions, &mut self.paths, entry.path.clone(), entry);
        }
    }

    /// The backup, which speaks of these lists.
    pub(super) fn finish(self, holds: Vec<ListName>) -> Backup {
        Backup { holds, ..self.backup }
    }
}

fn put<K: Eq + Hash, T>(entries: &mut Vec<T>, slots: &mut HashMap<K, usize>, key: K, entry: T) {
    let slot = *slots.entry(key).or_insert(entries.len());
    match entries.get_mut(slot) {
        Some(old) => *old = entry,
        None => entries.push(entry),
    }
}
