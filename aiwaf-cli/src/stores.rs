//! Opening the lists that are meant.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aiwaf_core::{ListChange, ListName};
use aiwaf_storage::{CsvStore, Loaded, Revision, Store, StoreError, fit};
use anyhow::bail;

/// What a command wants of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Looking, or changing what must be there.
    Existing,
    /// Adding: what is missing is created.
    Create,
}

/// Opens the lists at a URL. If somebody named them they must be there; a missing `aiwaf_data` that nobody named is
/// one without entries.
pub(crate) fn open_url(url: &str, was_named: bool, access: Access) -> anyhow::Result<Arc<dyn Store>> {
    if let Some(directory) = url.strip_prefix("csv:").filter(|directory| !directory.is_empty()) {
        return open_directory(Path::new(directory), was_named, access);
    }
    if let Some(file) = url.strip_prefix("sqlite:") {
        let path = Path::new(file.strip_prefix("//").unwrap_or(file));
        if access == Access::Existing && !path.as_os_str().is_empty() && !path.exists() {
            bail!(
                "there is no database {}: check the spelling, or add something to create it",
                path.display()
            );
        }
    }
    Ok(aiwaf_storage::open(url)?)
}

/// Opens the lists in a data directory, as [`open_url`] does.
pub(crate) fn open_directory(path: &Path, was_named: bool, access: Access) -> anyhow::Result<Arc<dyn Store>> {
    if access == Access::Existing && was_named && !path.exists() {
        bail!(
            "there is no data directory {}: check the spelling, or add something to create it",
            path.display()
        );
    }
    Ok(Arc::new(DataDirectory { path: path.to_owned(), store: OnceLock::new() }))
}

/// The same lists, which tell what a change would do and stay as they are.
pub(crate) fn unchanged(store: Arc<dyn Store>) -> Arc<dyn Store> {
    Arc::new(Unchanged(store))
}

/// A data directory that only the first change creates, so that looking leaves nothing behind.
struct DataDirectory {
    path: PathBuf,
    store: OnceLock<CsvStore>,
}

impl DataDirectory {
    fn existing(&self) -> Result<Option<&CsvStore>, StoreError> {
        if self.store.get().is_none() && !self.path.exists() {
            return Ok(None);
        }
        self.opened(CsvStore::open_existing).map(Some)
    }

    fn opened(
        &self,
        open: impl FnOnce(PathBuf) -> Result<CsvStore, StoreError>,
    ) -> Result<&CsvStore, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = open(self.path.clone())?;
        Ok(self.store.get_or_init(|| store))
    }
}

impl Store for DataDirectory {
    fn mode(&self) -> &'static str {
        "CSV"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        Some(("Data Directory", self.path.display().to_string()))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.existing()?.map_or_else(|| Ok(Loaded::default()), CsvStore::load)
    }

    fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        self.existing()?.map_or_else(|| Ok(Loaded::default()), |store| store.load_only(wanted))
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        let adds = changes.iter().any(|change| {
            matches!(
                change,
                ListChange::AddWhitelist(_)
                    | ListChange::AddBlacklist(_)
                    | ListChange::AddKeyword(_)
                    | ListChange::AddCountry(_)
                    | ListChange::AddPathExemption(_)
            )
        });
        match if adds { Some(self.opened(CsvStore::open)?) } else { self.existing()? } {
            Some(store) => store.apply(changes),
            // Nothing can be taken from what is not there.
            None => Ok(vec![false; changes.len()]),
        }
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.existing()?.map_or_else(|| Ok(Revision::default()), CsvStore::revision)
    }
}

/// Lists that stay as they are.
struct Unchanged(Arc<dyn Store>);

impl Store for Unchanged {
    fn mode(&self) -> &'static str {
        self.0.mode()
    }

    fn location(&self) -> Option<(&'static str, String)> {
        self.0.location()
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.0.load()
    }

    fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        self.0.load_only(wanted)
    }

    /// Says what the changes would alter.
    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        let fitting: Vec<Option<ListChange>> = changes.iter().map(fit).collect();
        let applicable: Vec<ListChange> = fitting.iter().flatten().cloned().collect();
        let mut altered = self.0.load()?.lists.apply(&applicable).into_iter();
        Ok(fitting.iter().map(|change| change.is_some() && altered.next() == Some(true)).collect())
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.0.revision()
    }
}

#[cfg(test)]
mod tests {
    use aiwaf_core::Timestamp;
    use aiwaf_storage::Manager;

    use super::*;

    #[test]
    fn looking_and_taking_away_leave_nothing_behind_and_adding_creates() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let open = |was_named, access| open_directory(&path, was_named, access).map(Manager::new);
        assert!(open(true, Access::Existing).is_err());
        let manager = open(false, Access::Existing).unwrap();
        assert!(!manager.remove_from_blacklist("10.0.0.1").unwrap());
        assert!(manager.list_keywords().unwrap().is_empty() && !path.exists());
        assert!(open(true, Access::Create).unwrap().add_keyword("abc", Timestamp::UNIX_EPOCH).unwrap());
        assert_eq!(manager.list_keywords().unwrap().len(), 1);
    }

    #[test]
    fn what_would_change_is_said_and_does_not_happen() {
        let store = aiwaf_storage::open("memory:").unwrap();
        let manager = Manager::new(Arc::clone(&store));
        let trial = Manager::new(unchanged(store));
        assert!(trial.add_keyword("abc", Timestamp::UNIX_EPOCH).unwrap());
        assert!(manager.add_keyword("abc", Timestamp::UNIX_EPOCH).unwrap());
        assert!(!trial.add_keyword("abc", Timestamp::UNIX_EPOCH).unwrap());
        assert!(trial.remove_keyword("abc").unwrap());
        assert_eq!(manager.list_keywords().unwrap().len(), 1);
    }
}
