//! Recorded verdicts: a file that later builds are compared with.
//!
//! JSON Lines: the selection of the run, then each row's id and verdict. With the ending `.gz` it is compressed.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::judge::{Selection, Verdict};
use super::row::Row;
use crate::replay::open;

/// Verdicts of an earlier run, by row.
pub(super) struct Record {
    /// Several rows can have the same id; they are told apart by their order.
    verdicts: HashMap<String, VecDeque<Verdict>>,
}

#[derive(Serialize, Deserialize)]
struct Recorded {
    id: String,
    #[serde(flatten)]
    verdict: Verdict,
}

/// Writes the verdicts on `rows` to `path`.
///
/// # Errors
/// If the file can't be written.
pub(super) fn write(
    path: &Path,
    selection: &Selection,
    rows: &[Row],
    verdicts: &[Verdict],
) -> anyhow::Result<()> {
    let context = || format!("writing {}", path.display());
    let file = BufWriter::new(File::create(path).with_context(context)?);
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut encoder = GzEncoder::new(file, Compression::default());
        write_lines(&mut encoder, selection, rows, verdicts).with_context(context)?;
        encoder.finish().and_then(|mut file| file.flush()).with_context(context)
    } else {
        let mut file = file;
        write_lines(&mut file, selection, rows, verdicts).with_context(context)?;
        file.flush().with_context(context)
    }
}

fn write_lines(
    out: &mut impl Write,
    selection: &Selection,
    rows: &[Row],
    verdicts: &[Verdict],
) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, selection)?;
    for (row, verdict) in rows.iter().zip(verdicts) {
        out.write_all(b"\n")?;
        let recorded = Recorded { id: row.id.clone(), verdict: verdict.clone() };
        serde_json::to_writer(&mut *out, &recorded)?;
    }
    out.write_all(b"\n")?;
    Ok(())
}

impl Record {
    /// Reads the record at `path`, which must be of the same `selection`.
    ///
    /// # Errors
    /// If the file can't be read, is not a record, or is of another selection.
    pub(super) fn read(path: &Path, selection: &Selection) -> anyhow::Result<Self> {
        let mut lines = open(path)?.lines();
        let first = lines.next().with_context(|| format!("{} is empty", path.display()))??;
        let recorded: Selection = serde_json::from_str(&first)
            .with_context(|| format!("{} is not a record of verdicts", path.display()))?;
        if recorded != *selection {
            bail!(
                "{} was recorded with other options ({recorded}) than this run ({selection}): use the same \
                 --only and --sequences",
                path.display()
            );
        }
        let mut verdicts: HashMap<String, VecDeque<Verdict>> = HashMap::new();
        for (number, line) in lines.enumerate() {
            let place = || format!("{}:{}", path.display(), number + 2);
            let row: Recorded = serde_json::from_str(&line.with_context(place)?).with_context(place)?;
            verdicts.entry(row.id).or_default().push_back(row.verdict);
        }
        Ok(Self { verdicts })
    }

    /// Takes the verdict on each row, `None` for rows that were not recorded. Returns with them the ids of recorded
    /// rows that are not among `rows`, sorted.
    pub(super) fn take(mut self, rows: &[Row]) -> (Vec<Option<Verdict>>, Vec<String>) {
        let taken =
            rows.iter().map(|row| self.verdicts.get_mut(&row.id).and_then(VecDeque::pop_front)).collect();
        let mut left: Vec<String> = self
            .verdicts
            .into_iter()
            .flat_map(|(id, verdicts)| std::iter::repeat_n(id, verdicts.len()))
            .collect();
        left.sort();
        (taken, left)
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{Label, labelled};
    use super::*;

    fn row(id: &str) -> Row {
        labelled(id, Label::Attack)
    }

    fn verdict(reason: &str) -> Verdict {
        Verdict { action: "block".into(), protection: Some("rate_limit".into()), reason: Some(reason.into()) }
    }

    #[test]
    fn record_survives_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let selection = Selection { only: Some("rate_limit".into()), sequences: true };
        let rows = [row("a"), row("a"), row("gone")];
        let verdicts = [verdict("1"), verdict("2"), verdict("3")];
        for name in ["record.jsonl", "record.jsonl.gz"] {
            let path = directory.path().join(name);
            write(&path, &selection, &rows, &verdicts).unwrap();
            let (taken, left) =
                Record::read(&path, &selection).unwrap().take(&[row("a"), row("new"), row("a")]);
            assert_eq!(taken, [Some(verdict("1")), None, Some(verdict("2"))]);
            assert_eq!(left, ["gone"]);
        }
    }

    #[test]
    fn record_of_other_options_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.jsonl");
        let selection = Selection { only: None, sequences: true };
        write(&path, &selection, &[], &[]).unwrap();
        let error =
            Record::read(&path, &Selection { sequences: false, ..selection }).err().unwrap().to_string();
        assert!(error.contains("sequences, all protections"), "{error}");
    }
}
