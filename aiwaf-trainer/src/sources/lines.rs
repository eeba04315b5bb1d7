//! Lines of something that is read, in one buffer of fixed size.

use std::io::{self, Read};

use aiwaf_core::LogFormat;

/// So much is read at once.
const BUFFER: usize = 512 * 1024;

/// A longer line can't be ours, and no server writes one.
const MAX_LINE: usize = LogFormat::MAX_LINE;
const _: () = assert!(MAX_LINE < BUFFER);

/// Cuts what it reads into lines.
pub(super) struct Lines {
    reader: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    at_end: bool,
}

/// Where the next line is.
pub(super) enum Next {
    /// Here in the buffer, without its line break.
    Line(std::ops::Range<usize>),
    /// Nowhere: this one was too long and was skipped.
    TooLong,
    /// Nowhere: that was all.
    End,
}

impl Lines {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, at_end: false }
    }

    /// The next line. A last line without a line break is one too.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let found = unread.get(searched..).and_then(|tail| memchr::memchr(b'\n', tail));
            if let Some(at) = found {
                let line = self.start..self.start + searched + at;
                self.start = line.end + 1;
                return Ok(if line.len() > MAX_LINE { Next::TooLong } else { Next::Line(line) });
            }
            searched = unread.len();
            if self.at_end {
                let line = self.start..self.end;
                self.start = self.end;
                return Ok(if line.is_empty() {
                    Next::End
                } else if line.len() > MAX_LINE {
                    Next::TooLong
                } else {
                    Next::Line(line)
                });
            }
            if searched > MAX_LINE {
                self.skip()?;
                return Ok(Next::TooLong);
            }
            self.fill()?;
        }
    }

    /// A line that [`next`](Self::next) found last.
    pub(super) fn line(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// The next lines that are whole, at most `count`, which stay to be read.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<Vec<&[u8]>> {
        self.peek_within(count, PEEK)
    }

    /// As [`peek`](Self::peek), of all lines that can be looked at without reading them.
    pub(super) fn peek_far(&mut self) -> io::Result<Vec<&[u8]>> {
        self.peek_within(usize::MAX - 1, PEEK_FAR)
    }

    fn peek_within(&mut self, count: usize, bytes: usize) -> io::Result<Vec<&[u8]>> {
        while !self.at_end && self.end - self.start < bytes {
            self.fill()?;
        }
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let mut lines: Vec<&[u8]> = unread.split(|&byte| byte == b'\n').take(count + 1).collect();
        // The last may be cut.
        if lines.len() > 1 && (!self.at_end || lines.len() > count) {
            lines.pop();
        }
        Ok(lines)
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = loop {
            match self.reader.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What was read before a file broke off counts; the error comes again when nothing is left.
                Err(error) => {
                    self.at_end = true;
                    return Err(error);
                }
                Ok(read) => break read,
            }
        };
        self.end += read;
        self.at_end = read == 0;
        Ok(())
    }

    /// Drops everything up to the next line break.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            (self.start, self.end) = (0, 0);
            self.fill()?;
            if self.at_end {
                return Ok(());
            }
            if let Some(at) = memchr::memchr(b'\n', self.buffer.get(..self.end).unwrap_or_default()) {
                self.start = at + 1;
                return Ok(());
            }
        }
    }
}

/// Formats are told from so many bytes.
const PEEK: usize = 64 * 1024;
/// And if these don't tell, from so many.
const PEEK_FAR: usize = 256 * 1024;
const _: () = assert!(PEEK_FAR < BUFFER);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives out a few bytes at a time, as pipes do.
    struct Trickle(Vec<u8>, usize);

    impl Read for Trickle {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(out.len());
            out[..length].copy_from_slice(&self.0[..length]);
            self.0.drain(..length);
            Ok(length)
        }
    }

    fn all(mut lines: Lines) -> Vec<Option<Vec<u8>>> {
        let mut found = Vec::new();
        loop {
            match lines.next().unwrap() {
                Next::Line(range) => found.push(Some(lines.line(range).to_vec())),
                Next::TooLong => found.push(None),
                Next::End => return found,
            }
        }
    }

    proptest! {
        #[test]
        fn text_is_cut_at_its_line_breaks(text in "[ab\n]{0,60}", step in 1usize..7, peek in 0usize..5) {
            let mut lines = Lines::new(Box::new(Trickle(text.clone().into_bytes(), step)));
            let expected: Vec<_> = text.split_terminator('\n').map(|line| Some(line.as_bytes().to_vec())).collect();
            let peeked: Vec<Vec<u8>> = lines.peek(peek).unwrap().into_iter().map(<[u8]>::to_vec).collect();
            for (peeked, expected) in peeked.iter().zip(&expected) {
                prop_assert_eq!(Some(peeked), expected.as_ref());
            }
            prop_assert_eq!(all(lines), expected);
        }
    }

    #[test]
    fn lines_that_are_too_long_are_skipped() {
        let text = format!("a\n{}\nb\n{}", "x".repeat(2 * BUFFER), "y".repeat(MAX_LINE + 1));
        let lines = all(Lines::new(Box::new(io::Cursor::new(text))));
        assert_eq!(lines, [Some(b"a".to_vec()), None, Some(b"b".to_vec()), None]);
        let longest = "x".repeat(MAX_LINE);
        assert_eq!(all(Lines::new(Box::new(io::Cursor::new(longest.clone())))), [Some(longest.into_bytes())]);
    }
}
