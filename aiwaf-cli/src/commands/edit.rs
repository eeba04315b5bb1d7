//! What adding to a list and removing from it have in common: saying what came of it.

use std::borrow::Cow;
use std::fmt::Display;

use aiwaf_core::{CountryCode, ListName, display_network, parse_network};
use serde::Serialize;

use crate::output::{Output, printable};
use crate::values::Value;

/// An edit of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edit {
    pub(crate) list: ListName,
    pub(crate) verb: Verb,
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Remove,
}

/// So many values are named one by one; on a long list nobody reads more.
const MAX_NAMED: usize = 20;

#[derive(Serialize)]
struct Report<'a> {
    list: &'static str,
    dry_run: bool,
    changed: usize,
    unchanged: usize,
    results: Vec<EditResult<'a>>,
}

#[derive(Serialize)]
struct EditResult<'a> {
    value: &'a str,
    changed: bool,
}

impl Edit {
    /// Says of each value what became of it. `hint` says more about one that changed nothing.
    pub(crate) fn report(
        self,
        out: &mut Output<'_>,
        values: &[Value],
        changed: &[bool],
        hint: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<()> {
        let count = changed.iter().filter(|changed| **changed).count();
        let pairs = || values.iter().map(|value| value.text.as_str()).zip(changed.iter().copied());
        if out.is_json() {
            return out.json(&Report {
                list: self.list.name(),
                dry_run: self.dry_run,
                changed: count,
                unchanged: changed.len() - count,
                results: pairs().map(|(value, changed)| EditResult { value, changed }).collect(),
            });
        }
        let list = describe(self.list);
        let did = match (self.verb, self.dry_run) {
            (Verb::Add, false) => ("Added", "to"),
            (Verb::Add, true) => ("Would add", "to"),
            (Verb::Remove, false) => ("Removed", "from"),
            (Verb::Remove, true) => ("Would remove", "from"),
        };
        for (value, changed) in pairs().take(MAX_NAMED) {
            let value = stored(self.list, value);
            let value = printable(&value);
            if changed {
                out.done(format_args!("{} {value} {} {list}", did.0, did.1))?;
            } else {
                let state = if self.verb == Verb::Add { "is already on" } else { "is not on" };
                let hint = hint(&value).map(|hint| format!(": {hint}")).unwrap_or_default();
                out.text(format_args!("{value} {state} {list}{hint}\n"))?;
            }
        }
        if values.len() > MAX_NAMED {
            out.text(format_args!("... and {} more\n", values.len() - MAX_NAMED))?;
        }
        if values.len() > 1 {
            let (verb, preposition) = did;
            out.done(format_args!("{verb} {count} of {} {preposition} {list}", values.len()))?;
        }
        Ok(())
    }
}

/// The value as it stands on the list: `10.0.0.9/24` is a whole network, and whoever reads that it was added should know.
fn stored(list: ListName, text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let canonical = match list {
        ListName::Whitelist | ListName::Blacklist => {
            parse_network(text).ok().map(|network| display_network(&network))
        }
        ListName::GeoBlockedCountries => text.parse::<CountryCode>().ok().map(|code| code.to_string()),
        ListName::Keywords | ListName::PathExemptions => None,
    };
    canonical.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A list, in a sentence.
pub(crate) fn describe(list: ListName) -> impl Display {
    match list {
        ListName::Whitelist => "the whitelist",
        ListName::Blacklist => "the blacklist",
        ListName::Keywords => "the blocked keywords",
        ListName::GeoBlockedCountries => "the blocked countries",
        ListName::PathExemptions => "the exempt paths",
    }
}
