//! A store that may not be there yet.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aiwaf_core::{ListChange, ListName};

use crate::error::StoreError;
use crate::store::{Additions, ListFailure, Loaded, Revision, Store};

/// A store that is opened when it first can be.
///
/// Until then every call tries to open it, and fails as that does. So a [`ListKeeper`](crate::ListKeeper) treats a disk
/// or server that is missing at the start like one that went away: it keeps changes and tries again.
///
/// ```
/// use aiwaf_storage::{LateStore, Store};
///
/// let folder = tempfile::tempdir()?;
/// let directory = folder.path().join("aiwaf_data");
/// std::fs::write(&directory, "in the way")?;
/// let store = LateStore::new(format!("csv:{}", directory.display()));
/// assert!(store.load().is_err());
/// std::fs::remove_file(&directory)?;
/// assert!(store.load().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LateStore {
    url: String,
    opened: OnceLock<Arc<dyn Store>>,
}

impl LateStore {
    /// The store that `url` names, as [`open`](crate::open) reads it.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), opened: OnceLock::new() }
    }

    /// The store itself, opened now if it was not yet.
    ///
    /// # Errors
    /// As [`open`](crate::open).
    pub fn open(&self) -> Result<&dyn Store, StoreError> {
        if let Some(store) = self.opened.get() {
            return Ok(&**store);
        }
        let store = crate::url::open(&self.url)?;
        Ok(&**self.opened.get_or_init(|| store))
    }
}

impl Store for LateStore {
    /// That of the store, or `Not open`.
    fn mode(&self) -> &'static str {
        self.opened.get().map_or("Not open", |store| store.mode())
    }

    fn location(&self) -> Option<(&'static str, String)> {
        self.opened.get().and_then(|store| store.location())
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.open()?.load()
    }

    fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        self.open()?.load_only(wanted)
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        self.open()?.apply(changes)
    }

    fn apply_soon(&self, changes: &[ListChange], patience: Duration) -> Result<Vec<bool>, StoreError> {
        self.open()?.apply_soon(changes, patience)
    }

    fn load_readable(&self) -> Result<(Loaded, Vec<ListFailure>), StoreError> {
        self.open()?.load_readable()
    }

    fn was_told(&self) -> Option<bool> {
        self.opened.get().and_then(|store| store.was_told())
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.open()?.revision()
    }

    fn additions_since(&self, revision: &Revision) -> Result<Option<Additions>, StoreError> {
        self.open()?.additions_since(revision)
    }
}
