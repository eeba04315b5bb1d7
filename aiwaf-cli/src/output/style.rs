//! What the reader can show: symbols, colours, how wide.

use std::io::IsTerminal;

/// What the reader can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// Emoji before headings and answers.
    pub(crate) symbols: bool,
    /// ANSI colours.
    pub(crate) colours: bool,
    /// The columns of the terminal; `None` is as many as it takes.
    pub(crate) width: Option<usize>,
}

/// A terminal that does not say how wide it is.
const USUAL_WIDTH: u16 = 80;

impl Style {
    /// That of standard output: plain if it is no terminal, without colours if `NO_COLOR` says so.
    pub(crate) fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        let (width, _) = terminal_size::terminal_size()
            .unwrap_or((terminal_size::Width(USUAL_WIDTH), terminal_size::Height(24)));
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { symbols: !is_dumb, colours: !is_dumb && !no_color, width: Some(usize::from(width.0)) }
    }

    pub(crate) fn bold(self) -> &'static str {
        self.code("\x1b[1m")
    }

    pub(crate) fn dim(self) -> &'static str {
        self.code("\x1b[2m")
    }

    pub(crate) fn red(self) -> &'static str {
        self.code("\x1b[31m")
    }

    pub(crate) fn plain(self) -> &'static str {
        self.code("\x1b[0m")
    }

    fn code(self, code: &'static str) -> &'static str {
        if self.colours { code } else { "" }
    }
}
