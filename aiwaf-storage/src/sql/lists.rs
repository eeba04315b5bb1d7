//! Reading all lists, and changing those rows that changes are about.

use std::collections::{BTreeSet, HashMap, HashSet};

use aiwaf_core::{ListChange, ListName, Lists};
use diesel::QueryResult;

use super::row::{BlacklistRow, CountryRow, KeywordRow, PathExemptionRow, Row, WhitelistRow};
use super::tables::{Table, Tables};
use crate::fit::fit;
use crate::memory::{apply_fitted, is_addition};
use crate::store::{Loaded, RowProblem};

/// The lists that are wanted; in a transaction that sees one state of the database.
pub(super) fn load(connection: &mut impl Tables, wanted: &[ListName]) -> QueryResult<Loaded> {
    let mut loaded = Loaded::default();
    for list in ListName::ALL.into_iter().filter(|list| wanted.contains(list)) {
        match list {
            ListName::Whitelist => load_list::<WhitelistRow>(connection, &mut loaded)?,
            ListName::Blacklist => load_list::<BlacklistRow>(connection, &mut loaded)?,
            ListName::Keywords => load_list::<KeywordRow>(connection, &mut loaded)?,
            ListName::GeoBlockedCountries => load_list::<CountryRow>(connection, &mut loaded)?,
            ListName::PathExemptions => load_list::<PathExemptionRow>(connection, &mut loaded)?,
        }
    }
    Ok(loaded)
}

fn load_list<R: Row>(connection: &mut impl Table<R>, loaded: &mut Loaded) -> QueryResult<()> {
    let mut entries = Vec::new();
    let mut described = 0;
    connection.each(&mut |row: R| {
        let position = row.position();
        let mut note = None;
        let oddity = match row.entry(&mut note) {
            Ok(entry) => {
                entries.push(entry);
                note
            }
            Err(oddity) => Some(oddity),
        };
        let Some(oddity) = oddity else { return };
        if described == Loaded::MAX_PROBLEMS {
            loaded.more_problems += 1;
            return;
        }
        described += 1;
        let line = position.and_then(|position| u64::try_from(position).ok()).unwrap_or(0);
        loaded.problems.push(RowProblem { file: R::TABLE, line, text: oddity.text, what: oddity.what });
    })?;
    *R::list(&mut loaded.lists) = entries;
    Ok(())
}

/// What was done.
pub(super) struct Applied {
    /// Whether each change altered anything.
    pub(super) altered: Vec<bool>,
    /// Whether the database did change.
    pub(super) wrote: bool,
}

/// Carries out `changes` as [`Lists::apply`] does; in a transaction that keeps other writers out.
///
/// Only the rows that the changes name are read and written. Changes of a whole list are statements of their own, and
/// those between them are handled together.
pub(super) fn apply(connection: &mut impl Tables, changes: &[ListChange]) -> QueryResult<Applied> {
    let mut applied = Applied { altered: Vec::with_capacity(changes.len()), wrote: false };
    let changes: Vec<Option<ListChange>> = changes.iter().map(fit).collect();
    let mut rest = changes.as_slice();
    while !rest.is_empty() {
        let named = rest.iter().position(|change| change.as_ref().is_some_and(is_of_whole_list));
        let (now, later) = rest.split_at(named.unwrap_or(rest.len()));
        apply_to_rows(connection, now, &mut applied)?;
        let Some((change, later)) = later.split_first() else { break };
        let deleted = change.as_ref().map_or(Ok(0), |change| apply_to_list(connection, change))?;
        applied.altered.push(deleted > 0);
        applied.wrote |= deleted > 0;
        rest = later;
    }
    Ok(applied)
}

fn is_of_whole_list(change: &ListChange) -> bool {
    matches!(change, ListChange::Clear(_) | ListChange::RemoveEndedBans(_))
}

/// How many rows it deleted.
fn apply_to_list(connection: &mut impl Tables, change: &ListChange) -> QueryResult<usize> {
    match change {
        ListChange::RemoveEndedBans(time) => connection.remove_ended_bans(time.as_unix_micros()),
        ListChange::Clear(ListName::Whitelist) => Table::<WhitelistRow>::clear(connection),
        ListChange::Clear(ListName::Blacklist) => Table::<BlacklistRow>::clear(connection),
        ListChange::Clear(ListName::Keywords) => Table::<KeywordRow>::clear(connection),
        ListChange::Clear(ListName::GeoBlockedCountries) => Table::<CountryRow>::clear(connection),
        ListChange::Clear(ListName::PathExemptions) => Table::<PathExemptionRow>::clear(connection),
        _ => Ok(0),
    }
}

/// Carries out changes of single entries; those that can't be stored are `None`.
fn apply_to_rows(
    connection: &mut impl Tables,
    changes: &[Option<ListChange>],
    applied: &mut Applied,
) -> QueryResult<()> {
    let fitting: Vec<ListChange> = changes.iter().flatten().cloned().collect();
    // The whitelist says which automatic bans count, and networks that hold another can't be looked up by key.
    let needs_whitelist = fitting
        .iter()
        .any(|change| matches!(change, ListChange::AddBlacklist(entry) if entry.source.is_automatic()));
    let mut lists = Lists::default();
    let whitelist = Part::<WhitelistRow>::read(connection, &fitting, needs_whitelist, &mut lists)?;
    let blacklist = Part::<BlacklistRow>::read(connection, &fitting, false, &mut lists)?;
    let keywords = Part::<KeywordRow>::read(connection, &fitting, false, &mut lists)?;
    let countries = Part::<CountryRow>::read(connection, &fitting, false, &mut lists)?;
    let paths = Part::<PathExemptionRow>::read(connection, &fitting, false, &mut lists)?;
    let altered = apply_fitted(&mut lists, &fitting);
    let alterations: Vec<&ListChange> =
        fitting.iter().zip(&altered).filter(|(_, altered)| **altered).map(|(change, _)| change).collect();
    applied.wrote |= whitelist.write(connection, &alterations, &mut lists)?;
    applied.wrote |= blacklist.write(connection, &alterations, &mut lists)?;
    applied.wrote |= keywords.write(connection, &alterations, &mut lists)?;
    applied.wrote |= countries.write(connection, &alterations, &mut lists)?;
    applied.wrote |= paths.write(connection, &alterations, &mut lists)?;
    let mut altered = altered.into_iter();
    let results = changes.iter().map(|change| change.is_some() && altered.next() == Some(true));
    applied.altered.extend(results);
    Ok(())
}

/// The rows of one table that changes are about, by their keys, as they were before.
struct Part<R: Row>(HashMap<String, (i64, R::Entry)>);

impl<R: Row> Part<R> {
    /// Puts the entries of these rows into `lists`.
    fn read(
        connection: &mut impl Table<R>,
        changes: &[ListChange],
        all: bool,
        lists: &mut Lists,
    ) -> QueryResult<Self> {
        let mut rows = Vec::new();
        if all {
            connection.each(&mut |row| rows.push(row))?;
        } else {
            let keys: BTreeSet<_> = changes.iter().filter_map(R::key_of_change).collect();
            if !keys.is_empty() {
                rows = connection.find(&keys.into_iter().map(Into::into).collect::<Vec<String>>())?;
            }
        }
        let mut part = HashMap::with_capacity(rows.len());
        let entries = R::list(lists);
        for row in rows {
            let Some(position) = row.position() else { continue };
            if let Ok(entry) = row.entry(&mut None) {
                entries.push(entry.clone());
                part.insert(R::key(&entry).into_owned(), (position, entry));
            }
        }
        Ok(Self(part))
    }

    /// Writes what the `alterations` made of the rows, which is in `lists`; says whether that was anything.
    fn write(
        mut self,
        connection: &mut impl Table<R>,
        alterations: &[&ListChange],
        lists: &mut Lists,
    ) -> QueryResult<bool> {
        // What is removed and added again goes to the end.
        let removed: HashSet<_> = alterations
            .iter()
            .filter(|change| !is_addition(change))
            .filter_map(|change| R::key_of_change(change))
            .collect();
        let mut deletions = Vec::new();
        let mut insertions = Vec::new();
        for entry in R::list(lists).iter() {
            let key = R::key(entry);
            let position = match self.0.remove(key.as_ref()) {
                Some((position, _)) if removed.contains(&key) => {
                    deletions.push(position);
                    None
                }
                Some((_, old)) if old == *entry => continue,
                Some((position, _)) => {
                    deletions.push(position);
                    Some(position)
                }
                None => None,
            };
            insertions.push(R::new(entry, position));
        }
        deletions.extend(self.0.values().map(|(position, _)| position));
        connection.delete(&deletions)?;
        connection.insert(&insertions)?;
        Ok(!deletions.is_empty() || !insertions.is_empty())
    }
}
