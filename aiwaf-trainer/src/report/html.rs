//! What was learned, as a page with pictures.

use super::TrainingReport;

/// The page.
pub fn html(report: &TrainingReport) -> String {
    super::text(report)
}
