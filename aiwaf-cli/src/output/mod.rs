//! Text, tables and JSON for terminals, pipes and programs.

mod progress;
mod style;
mod table;
mod text;

use std::fmt::{self, Display};
use std::io::{self, Write};

use serde::Serialize;

pub(crate) use self::progress::ProgressLine;
pub(crate) use self::style::Style;
pub(crate) use self::table::{Cells, Column, Table};
pub(crate) use self::text::{counted, printable, short_time};

/// Where a command prints, and for whom.
pub(crate) struct Output<'a> {
    writer: &'a mut dyn Write,
    style: Style,
    json: bool,
}

impl<'a> Output<'a> {
    /// Prints to `writer` in this style, or in JSON.
    pub(crate) fn new(writer: &'a mut dyn Write, style: Style, json: bool) -> Self {
        Self { writer, style, json }
    }

    /// Whether JSON is asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Where to write what is neither text nor a JSON document.
    pub(crate) fn writer(&mut self) -> &mut dyn Write {
        self.writer
    }

    /// The style of texts.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// The symbol, where symbols are shown.
    pub(crate) fn symbol(&self, symbol: &'static str) -> &'static str {
        if self.style.symbols { symbol } else { "" }
    }

    /// Writes text for people; nothing if JSON is asked for.
    pub(crate) fn text(&mut self, text: fmt::Arguments<'_>) -> anyhow::Result<()> {
        if !self.json {
            self.writer.write_fmt(text)?;
        }
        Ok(())
    }

    /// Writes a heading behind a blank line; nothing if JSON is asked for.
    pub(crate) fn heading(&mut self, symbol: &'static str, text: impl Display) -> anyhow::Result<()> {
        let symbol = self.symbol(symbol);
        let (bold, plain) = (self.style.bold(), self.style.plain());
        self.text(format_args!("\n{symbol}{bold}{text}{plain}\n"))
    }

    /// Says what was done; nothing if JSON is asked for.
    pub(crate) fn done(&mut self, text: impl Display) -> anyhow::Result<()> {
        let symbol = self.symbol("✅ ");
        self.text(format_args!("{symbol}{text}\n"))
    }

    /// Writes a JSON document, if that is asked for.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        if self.json {
            // A document is many short texts, each of which would be a call of an unknown writer.
            let mut out = io::BufWriter::with_capacity(64 * 1024, &mut *self.writer);
            serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        Ok(())
    }
}

/// Says on standard error what a person should know beside the answer.
pub(crate) fn note(text: impl Display) {
    eprintln!("aiwaf: {}", printable(&text.to_string()));
}
