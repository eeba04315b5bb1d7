//! The home of the lists, whatever it is made of.

use std::time::Duration;

use aiwaf_core::{BlacklistEntry, ListChange, ListName, Lists};

use crate::error::StoreError;

/// Where the five lists live.
///
/// An implementation may be shared by threads, and its home by processes: no change of one is lost by another's.
/// Calls may wait for a disk or a network, so they are no business of a request; [`crate::ListKeeper`] keeps requests
/// away from them. What changes mean is said by [`Lists::apply`], within the bounds of [`crate::fit`].
pub trait Store: Send + Sync {
    /// The kind of storage, as people are told: `CSV`, `Memory`.
    fn mode(&self) -> &'static str;

    /// What the place is called and where it is (`Data Directory`, `aiwaf_data`), without passwords; `None` if it is
    /// nowhere.
    fn location(&self) -> Option<(&'static str, String)>;

    /// All lists as they are now, in the order in which the entries were added.
    ///
    /// # Errors
    /// [`StoreError`] if the home can't be read. It is never taken for empty then.
    fn load(&self) -> Result<Loaded, StoreError>;

    /// As [`Store::load`], but only lists that are `wanted`: the others are empty. Spares reading a long blacklist for a
    /// short list. Problems are those of the wanted lists; by default, of all.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        let mut loaded = self.load()?;
        let unwanted = ListName::ALL.into_iter().filter(|list| !wanted.contains(list));
        loaded.lists.apply(&unwanted.map(ListChange::Clear).collect::<Vec<_>>());
        Ok(loaded)
    }

    /// Carries out `changes` in order, in one transaction, and says of each whether it altered anything.
    ///
    /// # Errors
    /// [`StoreError`] if the home can't be changed; the changes may then be tried again.
    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError>;

    /// As [`Store::apply`], but waits for other writers no longer than `patience` or so; half a minute otherwise.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if others were at work for longer.
    fn apply_soon(&self, changes: &[ListChange], patience: Duration) -> Result<Vec<bool>, StoreError> {
        let _ = patience;
        self.apply(changes)
    }

    /// As [`Store::load`], but leaves lists empty that can't be read, and says why; all of them are read otherwise.
    ///
    /// # Errors
    /// [`StoreError`] if nothing can be read.
    fn load_readable(&self) -> Result<(Loaded, Vec<ListFailure>), StoreError> {
        self.load().map(|loaded| (loaded, Vec::new()))
    }

    /// A token that differs from earlier ones whenever the lists may have changed since; cheap to get.
    ///
    /// # Errors
    /// [`StoreError`] if the home can't be reached.
    fn revision(&self) -> Result<Revision, StoreError>;

    /// Whether the home told of a change since the revision was read last. It is not asked, so this costs next to nothing;
    /// `None`, which is the default, if it never tells.
    fn was_told(&self) -> Option<bool> {
        None
    }

    /// What was added since the lists were as `revision` says, if that is known and nothing else changed: then a long
    /// list need not be read again for a few new bans. `None`, which is the default, asks for [`Store::load`].
    ///
    /// `revision` must have been read before the lists were loaded. Bans that were loaded already may come again.
    ///
    /// # Errors
    /// [`StoreError`] if the home can't be read.
    fn additions_since(&self, revision: &Revision) -> Result<Option<Additions>, StoreError> {
        let _ = revision;
        Ok(None)
    }
}

/// Bans that came to the blacklist, all of networks that did not stand on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Additions {
    /// The bans.
    pub bans: Vec<BlacklistEntry>,
    /// How the lists are with them.
    pub revision: Revision,
}

/// A list that can't be read.
#[derive(Debug)]
pub struct ListFailure {
    /// Which.
    pub list: ListName,
    /// Why, and how to mend it.
    pub error: StoreError,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// The lists.
    pub lists: Lists,
    /// The rows that can't be understood; at most [`Loaded::MAX_PROBLEMS`] of each file or table.
    pub problems: Vec<RowProblem>,
    /// How many more there are.
    pub more_problems: usize,
}

impl Loaded {
    /// How many problems of one file are described.
    pub const MAX_PROBLEMS: usize = 100;
}

/// A row that can't be understood, or not in full.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {what}: {text:?}")]
pub struct RowProblem {
    /// The name of the file, or of the table with `table` before it.
    pub file: &'static str,
    /// The line on which the row begins, counted from 1; in a table its `position`.
    pub line: u64,
    /// The start of the row: at most 80 characters.
    pub text: String,
    /// What is wrong, and what becomes of the row.
    pub what: String,
}

/// A state of a store's content. Only good for telling whether it may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revision(Vec<u64>);

impl Revision {
    /// A state that is told from others by these numbers.
    pub fn new(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(numbers.into_iter().collect())
    }

    pub(crate) fn numbers(&self) -> &[u64] {
        &self.0
    }
}
