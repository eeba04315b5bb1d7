//! The values that a command is given, and what is wrong with them.

use std::path::PathBuf;

use aiwaf_core::{CountryCode, parse_network};
use aiwaf_storage::ManagerError;
use anyhow::{Context, bail};

use crate::countries;
use crate::failure::usage_error;
use crate::input::{Line, Lines};
use crate::suggest;

/// Values from arguments, a file, or standard input.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ValueArgs {
    /// The values; `-` reads them from standard input, one a line
    #[arg(required_unless_present = "file")]
    values: Vec<String>,

    /// Read values from a file, one a line; `#` begins a comment
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Addresses and networks.
    Network,
    Keyword,
    Country,
    Path,
}

/// A value, and where it stands if it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) text: String,
    place: Option<String>,
}

/// No value is longer, in bytes; paths are the longest.
const MAX_LINE: usize = 16 * 1024;
/// As many as any honest list has.
const MAX_VALUES: usize = 10_000_000;

impl ValueArgs {
    /// All values, with their places.
    pub(crate) fn read(&self, kind: Kind) -> anyhow::Result<Vec<Value>> {
        let mut values = Vec::new();
        for text in &self.values {
            if text == "-" {
                read_lines(&PathBuf::from("-"), kind, &mut values)?;
            } else {
                values.push(Value { text: text.clone(), place: None });
            }
        }
        if let Some(path) = &self.file {
            read_lines(path, kind, &mut values)?;
        }
        if values.is_empty() {
            bail!("there is no value to read: give some as arguments, or one a line");
        }
        Ok(values)
    }
}

fn read_lines(path: &std::path::Path, kind: Kind, values: &mut Vec<Value>) -> anyhow::Result<()> {
    let mut lines = Lines::open(path, MAX_LINE)?;
    while let Some(line) = lines.next_line()? {
        let text = match line {
            Line::Text(bytes) => std::str::from_utf8(bytes).map(str::to_owned).ok(),
            Line::TooLong => bail!("{}: the line is longer than {MAX_LINE} bytes", lines.place()),
        };
        let text = text.with_context(|| format!("{}: the line is no UTF-8", lines.place()))?;
        // A keyword may contain what elsewhere begins a comment.
        let is_address = kind == Kind::Network;
        let text = if is_address { text.split(['#', ';']).next().unwrap_or_default() } else { &text }.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if values.len() == MAX_VALUES {
            bail!("{}: there are more than {MAX_VALUES} values: split them", lines.place());
        }
        values.push(Value { text: text.to_owned(), place: Some(lines.place()) });
    }
    Ok(())
}

/// What is to be said about a value that the lists refuse. An argument that is wrong is a matter of usage.
pub(crate) fn refused(error: ManagerError, kind: Kind, values: &[Value]) -> anyhow::Error {
    let wrong = |value: &&Value| match kind {
        Kind::Network => parse_network(&value.text).is_err_and(|own| own.to_string() == error.to_string()),
        Kind::Country => {
            value.text.parse::<CountryCode>().is_err_and(|own| own.to_string() == error.to_string())
        }
        // Their errors name the value and how to mend it.
        Kind::Keyword | Kind::Path => false,
    };
    if matches!(error, ManagerError::Store(_)) {
        return error.into();
    }
    let value = values.iter().find(wrong);
    let meant = value.filter(|_| kind == Kind::Network).and_then(|value| suggest::address(&value.text));
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    in_place(value, format!("{error}{meant}"))
}

/// Countries by their codes; a code that is not assigned is a slip.
pub(crate) fn check_countries(values: &[Value]) -> anyhow::Result<()> {
    for value in values {
        let code = value.text.parse::<CountryCode>();
        if code.as_ref().is_ok_and(|code| countries::name(*code).is_some()) {
            continue;
        }
        let what = match code {
            Ok(code) => format!("{code} is the code of no country"),
            Err(_) => format!("{:?} is no country code", value.text.chars().take(64).collect::<String>()),
        };
        let mend = match countries::meant(&value.text) {
            Some((code, name)) => format!("did you mean {code} ({name})?"),
            None => "give the two letters of ISO 3166-1, such as US or DE".to_owned(),
        };
        return Err(in_place(Some(value), format!("{what}: {mend}")));
    }
    Ok(())
}

/// An error about a value: of usage if it is an argument, else one of the file.
fn in_place(value: Option<&Value>, text: String) -> anyhow::Error {
    match value.and_then(|value| value.place.as_deref()) {
        Some(place) => anyhow::anyhow!("{place}: {text}"),
        None => usage_error(text),
    }
}
