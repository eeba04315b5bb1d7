//! What can run in files that are not text: scripts and serialized objects.

use std::sync::LazyLock;

use aho_corasick::packed;

use super::carry::Carry;
use super::sink::Sink;
use crate::decode::Part;

/// Bytes that are shown from where something that can run begins.
pub(super) const SHOWN: usize = 512;

/// Distance behind something that was shown in which nothing else is: it is shown with it.
const STRIDE: usize = SHOWN / 2;

/// Searches what arrives in parts for what can run, and passes short pieces on that begin with it.
#[derive(Default)]
pub(super) struct Runnable {
    carry: Carry,
    /// Bytes up to the end of the part of the last piece in which nothing is looked for.
    skipped: usize,
}

/// The beginnings of what can run. Most are short, since any letters may be in either case; [`can_run`] decides.
const BEGINNINGS: [&[u8]; 16] = [
    b"<?",
    b"<%",
    b"<sc",
    b"<sC",
    b"<Sc",
    b"<SC",
    b"#!/",
    JAVA,
    DOTNET,
    b"\x80\x02c",
    b"\x80\x03c",
    b"\x80\x04\x95",
    b"\x80\x05\x95",
    b"push graphic-context",
    b"%pipe%",
    b"!!python/",
];

/// A stream of serialized Java objects.
const JAVA: &[u8] = b"\xac\xed\x00\x05";

/// The header of .NET's `BinaryFormatter`.
const DOTNET: &[u8] = b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00";

/// Length of the longest text by which something is known.
const MAX_LENGTH: usize = 20;

static SEARCHER: LazyLock<Option<packed::Searcher>> =
    LazyLock::new(|| packed::Searcher::new(BEGINNINGS.iter()));

impl Runnable {
    pub(super) fn push(&mut self, bytes: &[u8], name: &[u8], sink: &mut Sink<'_>) {
        let skipped = &mut self.skipped;
        self.carry.feed(bytes, false, &mut |data, last| step(skipped, data, last, name, sink));
    }

    pub(super) fn end(&mut self, name: &[u8], sink: &mut Sink<'_>) {
        let skipped = &mut self.skipped;
        self.carry.feed(b"", true, &mut |data, last| step(skipped, data, last, name, sink));
    }
}

fn step(skipped: &mut usize, data: &[u8], last: bool, name: &[u8], sink: &mut Sink<'_>) -> usize {
    let mut at = 0;
    loop {
        let skip = (*skipped).min(data.len() - at);
        at += skip;
        *skipped -= skip;
        let rest = data.get(at..).unwrap_or_default();
        let Some(found) = find(rest) else {
            let kept = if last { 0 } else { MAX_LENGTH - 1 };
            return at + rest.len().saturating_sub(kept);
        };
        at += found;
        let rest = data.get(at..).unwrap_or_default();
        if rest.len() < SHOWN && !last {
            return at;
        }
        if can_run(rest) {
            sink.give(name, rest.get(..SHOWN).unwrap_or(rest), Part::FileContent);
            *skipped = STRIDE;
        } else {
            *skipped = 1;
        }
    }
}

fn find(text: &[u8]) -> Option<usize> {
    match &*SEARCHER {
        Some(searcher) => searcher.find(text).map(|found| found.start()),
        None => (0..text.len()).find(|at| {
            text.get(*at..).is_some_and(|text| BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)))
        }),
    }
}

/// Reports whether what begins here is more than a chance of bytes.
fn can_run(text: &[u8]) -> bool {
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
    match text {
        [b'<', b'?', b'=' | b' ' | b'\t' | b'\r' | b'\n', ..] => true,
        [b'<', b'?', ..] => starts(b"<?php") || starts(b"<?xml"),
        [b'<', b'%', next, ..] => matches!(next, b'@' | b'=' | b'!' | b'-' | b' ' | b'\t' | b'\r' | b'\n'),
        [b'<', ..] => starts(b"<script"),
        [0xac, ..] => matches!(text.get(4), Some(b's'..=b'~')),
        [0x80, 4 | 5, 0x95, length @ ..] => length.get(4..8) == Some(&[0; 4]),
        [0x80, _, b'c', module @ ..] => is_module(module),
        _ => true,
    }
}

/// Reports whether a name of a Python module and a line end follow.
fn is_module(text: &[u8]) -> bool {
    let end = text.iter().take(64).position(|byte| !(byte.is_ascii_alphanumeric() || b"_.".contains(byte)));
    end.is_some_and(|end| end > 0 && text.get(end) == Some(&b'\n'))
}

/// Reports whether a file or a body is a serialized object of Java or .NET, by its beginning.
pub(super) fn is_serialized(beginning: &[u8]) -> bool {
    (beginning.starts_with(JAVA) || beginning.starts_with(DOTNET)) && can_run(beginning)
}

/// Reports whether a body is a pickle of Python, by its beginning. Files may be: they hold models and data.
pub(super) fn is_pickle(beginning: &[u8]) -> bool {
    match beginning {
        [0x80, 2 | 3, b'c', ..] | [0x80, 4 | 5, 0x95, ..] => can_run(beginning),
        [b'c' | b'(', ..] => {
            let module = beginning.strip_prefix(b"(").unwrap_or(beginning);
            let loads =
                [&b"cos\n"[..], b"cposix\n", b"cnt\n", b"csubprocess\n", b"c__builtin__\n", b"cbuiltins\n"];
            loads.iter().any(|load| module.starts_with(load))
        }
        _ => false,
    }
}
