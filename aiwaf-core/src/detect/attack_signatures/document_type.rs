//! Document types of XML that lie elsewhere.

use std::ops::Range;

use memchr::memmem;

/// Finds a document type whose public or system identifier is a URL of a host that publishes no known standard. Takes
/// linear time; `text` is in lower case.
pub(super) fn external_subset(text: &[u8]) -> Option<Range<usize>> {
    memmem::find_iter(text, b"<!doctype").find_map(|start| {
        let rest = text.get(start..)?;
        let rest = rest.get(..LONGEST).unwrap_or(rest);
        let end = memchr::memchr3(b'>', b'[', b'<', rest.get(1..)?).map_or(rest.len(), |at| at + 1);
        let declaration = rest.get(..end)?;
        let name = declaration.get(b"<!doctype".len()..)?.trim_ascii_start();
        let keyword =
            name.iter().position(u8::is_ascii_whitespace).and_then(|at| name.get(at..))?.trim_ascii_start();
        let is_public = keyword.starts_with(b"public");
        if !is_public && !keyword.starts_with(b"system") {
            return None;
        }
        let mut literals = quoted(keyword.get(b"public".len()..)?);
        let is_foreign = literals.any(is_foreign_address);
        is_foreign.then_some(start..start + end)
    })
}

/// A document type is not longer.
const LONGEST: usize = 1024;

/// The texts in quotes.
fn quoted(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let start = memchr::memchr2(b'"', b'\'', rest)?;
        let quote = *rest.get(start)?;
        let text = rest.get(start + 1..)?;
        let end = memchr::memchr(quote, text).unwrap_or(text.len());
        rest = text.get(end + 1..).unwrap_or_default();
        text.get(..end)
    })
}

/// Reports whether a literal is an address, and not one of a host that publishes standards.
fn is_foreign_address(literal: &[u8]) -> bool {
    let literal = literal.trim_ascii();
    let Some(at) = memmem::find(literal, b"//") else { return false };
    let (scheme, rest) = (literal.get(..at).unwrap_or_default(), literal.get(at + 2..).unwrap_or_default());
    // A formal public identifier (`-//W3C//DTD ..`) has slashes as well.
    match scheme {
        b"http:" | b"https:" | b"" => {}
        _ => return scheme.len() > 1 && scheme.ends_with(b":"),
    }
    let host = rest.split(|byte| b"/:?#".contains(byte)).next().unwrap_or_default();
    !PUBLISHERS.iter().any(|publisher| {
        host.strip_suffix(*publisher).is_some_and(|before| before.is_empty() || before.ends_with(b"."))
    })
}

/// Hosts from which document types of known standards come.
const PUBLISHERS: [&[u8]; 26] = [
    b"w3.org",
    b"oasis-open.org",
    b"apple.com",
    b"java.sun.com",
    b"sun.com",
    b"oracle.com",
    b"jcp.org",
    b"apache.org",
    b"mybatis.org",
    b"hibernate.org",
    b"hibernate.sourceforge.net",
    b"springframework.org",
    b"jboss.org",
    b"openoffice.org",
    b"opendocument.org",
    b"daisy.org",
    b"idpf.org",
    b"docbook.org",
    b"niso.org",
    b"nih.gov",
    b"musicxml.org",
    b"freedesktop.org",
    b"netscape.com",
    b"omg.org",
    b"gnome.org",
    b"checkstyle.org",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_other_hosts_are_found() {
        for text in [
            "<!doctype r public \"a\" \"http://x.example/e.dtd\"><r/>",
            "<?xml version='1.0'?><!doctype r system 'https://x.example/e'>",
            "<!doctype r public \"-//a//b//en\" \"//x.example/e\" [",
            "<!doctype r public \"https://x.example/e\"",
            "<!doctype r system \"file:///a\">",
            "<!doctype r system \"http://www.w3.org.x.example/\">",
            "<!doctype r system \"http://www.w3.org@x.example/\">",
        ] {
            assert!(external_subset(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "<!doctype html>",
            "<!doctype html public \"-//w3c//dtd html 4.01//en\" \"http://www.w3.org/tr/html4/strict.dtd\">",
            "<!doctype plist public \"-//apple//dtd plist 1.0//en\" \"http://www.apple.com/dtds/propertylist-1.0.dtd\">",
            "<!doctype html system \"about:legacy-compat\">",
            "<!doctype a system \"a.dtd\"> http://x.example",
            "<!doctype",
            "a public \"http://x.example/\" place",
        ] {
            assert_eq!(external_subset(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(<!doctype|a|public|system| |\"|'|//|>|http:){0,40}") {
            let _ = external_subset(text.as_bytes());
        }
    }
}
