//! What was learned: as data, as text, as a page with pictures, and as changes of the lists.

mod apply;
mod charts;
mod html;
mod text;

use std::path::Path;
use std::time::Duration;

use aiwaf_core::BlacklistEntry;
use aiwaf_ml::{ModelError, RequestModel};
use serde::Serialize;

pub use apply::Applied;
pub use html::html;
pub use text::text;

use crate::bans::{SparedClient, TrainedBan};
use crate::evaluate::HeldOut;
use crate::keywords::LearnedKeyword;
use crate::model::ModelReport;
use crate::sources::{FormatCount, ReadSummary, SourceProblem, UnparsedSample};
use crate::traffic::Traffic;

/// What was learned. As JSON it is what `aiwaf train --json` prints.
#[derive(Debug, Serialize)]
pub struct TrainingReport {
    /// Lines in all.
    pub lines: u64,
    /// Lines that are requests.
    pub parsed: u64,
    /// Lines that can't be read.
    pub unparsed: u64,
    /// Lines that hold no request: blank ones, headers, directives.
    pub without_request: u64,
    /// The formats, with their lines and files, the most frequent first.
    pub formats: Vec<FormatCount>,
    /// Why lines can't be read, and how many for that reason.
    pub unparsed_causes: std::collections::BTreeMap<String, u64>,
    /// Some lines that can't be read.
    pub unparsed_samples: Vec<UnparsedSample>,
    /// Files that could not be read, or not to their end.
    pub problems: Vec<SourceProblem>,
    /// Bytes read, as they lie on the disk.
    pub bytes: u64,
    /// When the earliest request was.
    pub first: Option<String>,
    /// When the latest request was.
    pub last: Option<String>,
    /// Whether there were enough requests to learn from.
    pub enough: bool,
    /// How many it takes.
    pub min_lines: u64,
    /// Different clients.
    pub clients: u64,
    /// Requests that a protection denied, as the log says.
    pub denied: u64,
    /// Networks on the whitelist.
    pub whitelisted: u64,
    /// Who is to be banned, those against whom most speaks first.
    pub bans: Vec<TrainedBan>,
    /// Who is not banned although a rule speaks against it.
    pub spared: Vec<SparedClient>,
    /// Whitelisted clients whose bans are lifted.
    pub unbanned: Vec<String>,
    /// What is to be blocked from now on, what most clients asked for first.
    pub keywords: Vec<LearnedKeyword>,
    /// The model.
    pub model: ModelReport,
    /// What would have been caught in the held-back part; none if nothing was held back.
    pub held_out: Option<HeldOut>,
    /// How much was asked for over time.
    pub traffic: Traffic,
    #[serde(skip)]
    pub(crate) trained: Option<RequestModel>,
    #[serde(skip)]
    pub(crate) pointless: Vec<BlacklistEntry>,
    #[serde(skip)]
    pub(crate) ban_duration: Duration,
}

impl TrainingReport {
    pub(crate) fn new(
        summary: ReadSummary,
        trained: Option<RequestModel>,
        pointless: Vec<BlacklistEntry>,
        ban_duration: Duration,
    ) -> Self {
        Self {
            lines: summary.lines,
            parsed: summary.parsed,
            unparsed: summary.unparsed.lines,
            without_request: summary.without_request,
            formats: summary.formats,
            unparsed_causes: summary.unparsed.causes,
            unparsed_samples: summary.unparsed.samples,
            problems: summary.problems,
            bytes: summary.bytes,
            first: summary.first.map(|time| time.to_string()),
            last: summary.last.map(|time| time.to_string()),
            enough: true,
            min_lines: 0,
            clients: 0,
            denied: 0,
            whitelisted: 0,
            bans: Vec::new(),
            spared: Vec::new(),
            unbanned: pointless.iter().map(|ban| aiwaf_core::display_network(&ban.network)).collect(),
            keywords: Vec::new(),
            model: ModelReport::default(),
            held_out: None,
            traffic: Traffic::default(),
            trained,
            pointless,
            ban_duration,
        }
    }

    /// The model, if one was trained.
    pub fn trained_model(&self) -> Option<&RequestModel> {
        self.trained.as_ref()
    }

    /// Writes the model into a file, from which running services take it; false if there is none, and then a file that is
    /// there stays.
    ///
    /// # Errors
    /// [`ModelError`] if it can't be written; the file that was there is untouched.
    pub fn save_model(&self, path: impl AsRef<Path>) -> Result<bool, ModelError> {
        let Some(model) = &self.trained else { return Ok(false) };
        model.trained().save(path)?;
        Ok(true)
    }
}
