//! Entries of a list, selected, put in order, and shown.

mod entries;
mod query;

use aiwaf_core::Timestamp;
use ipnet::IpNet;
use serde::{Serialize, Serializer};

pub(crate) use self::query::QueryArgs;
use crate::output::{Cells, Column, Output, Table};

/// An entry of a list that can be shown.
pub(crate) trait Listed: Sync {
    /// What stands above the list.
    const TITLE: &'static str;
    /// The symbol before the title, with a blank.
    const SYMBOL: &'static str;
    /// The columns of its table.
    const COLUMNS: &'static [Column];
    /// What puts entries in the order of their names: addresses by their numbers.
    type Rank<'a>: Ord + Send
    where
        Self: 'a;

    /// What is listed, as people write it.
    fn name(&self) -> String;
    /// Its place in the order of names.
    fn rank(&self) -> Self::Rank<'_>;
    /// The addresses that it means, if it means addresses.
    fn network(&self) -> Option<IpNet> {
        None
    }
    /// Why it is listed; may be empty.
    fn reason(&self) -> &str;
    /// Since when, if that is known.
    fn added(&self) -> Option<Timestamp>;
    /// Until when, if it ends.
    fn until(&self) -> Option<Timestamp> {
        None
    }
    /// How often it was seen, or offended.
    fn count(&self) -> u64 {
        0
    }
    /// Fills the cells of its row.
    fn fill(&self, cells: &mut Cells);
    /// Writes it as JSON.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Some entries of a list, in the order in which they are shown.
pub(crate) struct Selected<'a, T> {
    entries: Vec<&'a T>,
    /// How many fit the query, shown or not.
    matching: usize,
}

impl<T: Listed> Selected<'_, T> {
    /// Writes the entries as a table.
    pub(crate) fn show(&self, out: &mut Output<'_>) -> anyhow::Result<()> {
        out.heading(T::SYMBOL, format_args!("{} ({}):", T::TITLE, self.matching))?;
        if !self.entries.is_empty() {
            let style = out.style();
            let table = Table::new(T::COLUMNS);
            table.write(out.writer(), style, &self.entries, |entry, cells| entry.fill(cells))?;
        }
        let hidden = self.matching - self.entries.len();
        if hidden > 0 {
            out.text(format_args!("  ... and {hidden} more\n"))?;
        }
        Ok(())
    }
}

/// An entry, to be written as JSON.
pub(crate) struct Entry<'a, T>(pub(crate) &'a T);

impl<T: Listed> Serialize for Entry<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Listed> Serialize for Selected<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(|entry| Entry(*entry)))
    }
}
