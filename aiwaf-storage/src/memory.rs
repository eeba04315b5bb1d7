//! Lists that live as long as the process.

use aiwaf_core::{ListChange, Lists};
use parking_lot::Mutex;

use crate::error::StoreError;
use crate::fit::{MAX_COUNT, fit};
use crate::store::{Loaded, Revision, Store};

/// Lists in memory: for tests, and for services that need no memory of yesterday.
///
/// ```
/// use aiwaf_core::{ListChange, ListName};
/// use aiwaf_storage::{MemoryStore, Store};
///
/// let store = MemoryStore::default();
/// assert_eq!(store.apply(&[ListChange::Clear(ListName::Keywords)])?, [false]);
/// # Ok::<(), aiwaf_storage::StoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lists: Lists,
    revision: u64,
}

impl Store for MemoryStore {
    fn mode(&self) -> &'static str {
        "Memory"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        None
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        Ok(Loaded { lists: self.state.lock().lists.clone(), ..Loaded::default() })
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        let changes: Vec<Option<ListChange>> = changes.iter().map(fit).collect();
        let mut state = self.state.lock();
        let altered = apply_fitting(&mut state.lists, &changes);
        state.revision += u64::from(altered.contains(&true));
        Ok(altered)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(Revision::new([self.state.lock().revision]))
    }
}

/// Applies those changes that can be stored; the others are `None`.
pub(crate) fn apply_fitting(lists: &mut Lists, changes: &[Option<ListChange>]) -> Vec<bool> {
    let applicable: Vec<ListChange> = changes.iter().flatten().cloned().collect();
    let mut results = apply_fitted(lists, &applicable).into_iter();
    changes.iter().map(|change| change.is_some() && results.next() == Some(true)).collect()
}

/// Applies changes that can be stored, so that what comes of them can be stored, too.
pub(crate) fn apply_fitted(lists: &mut Lists, changes: &[ListChange]) -> Vec<bool> {
    let results = lists.apply(changes);
    if changes.iter().any(|change| matches!(change, ListChange::AddKeyword(_))) {
        // Counts of learned keywords add up.
        for entry in &mut lists.keywords {
            entry.count = entry.count.min(MAX_COUNT);
        }
    }
    results
}

/// Whether the change puts one entry onto a list.
pub(crate) fn is_addition(change: &ListChange) -> bool {
    matches!(
        change,
        ListChange::AddWhitelist(_)
            | ListChange::AddBlacklist(_)
            | ListChange::AddKeyword(_)
            | ListChange::AddCountry(_)
            | ListChange::AddPathExemption(_)
    )
}
