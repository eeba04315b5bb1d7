//! Attributes that run code.

/// Whether a browser would run something because of this attribute.
pub(super) fn is_active(name: &[u8], value: &[u8]) -> bool {
    let mut lower = [0; 24];
    let name = match lower.get_mut(..name.len()) {
        Some(lower) => {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            &*lower
        }
        None => name,
    };
    let name =
        name.iter().rposition(|byte| *byte == b':').and_then(|colon| name.get(colon + 1..)).unwrap_or(name);
    is_event_handler(name, value)
        || has_code_url(value) && (name != b"content" || value.len() < 200)
        || (name == b"style" && is_active_style(value))
        || matches!(name, b"datasrc" | b"datafld" | b"formaction" | b"dynsrc" | b"lowsrc")
        || name == b"handler" && !value.is_empty()
        || name == b"attributename"
            && (value.windows(4).any(|part| part.eq_ignore_ascii_case(b"href"))
                || value.len() > 2 && value.get(..2).is_some_and(|on| on.eq_ignore_ascii_case(b"on")))
        || (name == b"fscommand" || name == b"seeksegmenttime") && !value.is_empty()
}

/// `onerror=..`, and whatever else browsers may call at some time: `on`, letters, and a value.
fn is_event_handler(name: &[u8], value: &[u8]) -> bool {
    // Behind odd bytes that some browsers skip, and behind a `+` that was a blank.
    let odd = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_');
    let name = name.iter().rposition(odd).and_then(|at| name.get(at + 1..)).unwrap_or(name);
    name.len() >= 5
        && name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case(b"on"))
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !value.is_empty()
}

/// Whether a value is a URL with code in it: `javascript:`, `vbscript:`, `data:text/html`.
pub(super) fn has_code_url(value: &[u8]) -> bool {
    // Browsers drop white space and control characters within the scheme.
    let mut scheme = [0; 32];
    let mut length = 0;
    let mut rest = value.get(..MAX_SCHEME.min(value.len())).unwrap_or_default();
    while let Some((byte, after)) = next_character(rest) {
        rest = after;
        if byte.is_ascii_control() || matches!(byte, b' ' | b'"' | b'\'') {
            continue;
        }
        let Some(slot) = scheme.get_mut(length) else { break };
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    let scheme = scheme.get(..length).unwrap_or_default();
    [
        &b"javascript:"[..],
        b"vbscript:",
        b"livescript:",
        b"mocha:",
        b"jscript:",
        b"data:text/html",
        b"data:text/xml",
        b"data:application/x",
        b"data:image/svg+xml,",
        b"data:,",
        b"data:text/javascript",
        b"feed:javascript:",
        b"view-source:",
        b"mhtml:",
    ]
    .iter()
    .any(|code| scheme.starts_with(code))
}

/// So many bytes of a URL are looked at for its scheme, which may be spelled at length.
const MAX_SCHEME: usize = 512;

/// The first character of a value and what is behind it, with escapes of HTML as browsers undo them in values.
fn next_character(value: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = value.split_first()?;
    if *first != b'&' {
        return Some((*first, rest));
    }
    for (name, byte) in
        [(&b"tab;"[..], b'\t'), (b"newline;", b'\n'), (b"colon;", b':'), (b"lpar;", b'('), (b"amp;", b'&')]
    {
        if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return Some((byte, rest.get(name.len()..).unwrap_or_default()));
        }
    }
    let Some(number) = rest.strip_prefix(b"#") else { return Some((b'&', rest)) };
    let (radix, digits) = match number.split_first() {
        Some((b'x' | b'X', digits)) => (16, digits),
        _ => (10, number),
    };
    let length = digits.iter().take(10).take_while(|digit| char::from(**digit).is_digit(radix)).count();
    let code = digits.get(..length).unwrap_or_default().iter().fold(0u32, |code, digit| {
        code.saturating_mul(radix).saturating_add(char::from(*digit).to_digit(radix).unwrap_or_default())
    });
    if length == 0 {
        return Some((b'&', rest));
    }
    let after = digits.get(length..).unwrap_or_default();
    Some((u8::try_from(code).unwrap_or(b'?'), after.strip_prefix(b";").unwrap_or(after)))
}

/// Styles in which old browsers run code, or which fetch other styles.
fn is_active_style(value: &[u8]) -> bool {
    [
        &b"expression("[..],
        b"expression (",
        b"javascript:",
        b"vbscript:",
        b"behavior:",
        b"behaviour:",
        b"-moz-binding",
        b"binding:url",
        b"binding: url",
        b"-o-link",
        b"@import",
    ]
    .iter()
    .any(|code| value.windows(code.len()).any(|window| window.eq_ignore_ascii_case(code)))
}
