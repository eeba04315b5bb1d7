//! Spellings of SQL that servers undo before the application reads the value.

use std::ops::Range;

use super::break_out::break_out;
use super::expression::expression;

/// Finds SQL in `value` as classic ASP reads it, which drops a percent sign that begins no escape, as an application
/// does that decodes a plus once more, or as a filter leaves it that drops comments within words. The range is the whole
/// value. Takes linear time.
pub(in super::super) fn hidden_sql(value: &[u8]) -> Option<Range<usize>> {
    let readings = [without_stray_percent, with_plus_as_blank, without_inner_comments];
    let is_sql = |text: &Vec<u8>| break_out(text).or_else(|| expression(text)).is_some();
    readings.into_iter().filter_map(|read| read(value)).any(|text| is_sql(&text)).then_some(0..value.len())
}

/// Returns the value without percent signs, if one stands between single characters and another.
fn without_stray_percent(value: &[u8]) -> Option<Vec<u8>> {
    let is_stray = |part: &[u8]| matches!(part, [b'%', letter, b'%'] if letter.is_ascii_graphic());
    value.windows(3).any(is_stray).then(|| value.iter().copied().filter(|byte| *byte != b'%').collect())
}

/// Returns the value with each plus as a blank, if it has no blanks of its own.
fn with_plus_as_blank(value: &[u8]) -> Option<Vec<u8>> {
    let has_plus = value.contains(&b'+') && !value.contains(&b' ');
    has_plus.then(|| value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect())
}

/// Returns the value without empty comments between letters, if there is one.
fn without_inner_comments(value: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memmem::find(rest, b"/**/") {
        let (before, behind) = (rest.get(..at)?, rest.get(at + 4..)?);
        joined.extend_from_slice(before);
        let is_inner = joined.last().is_some_and(u8::is_ascii_alphabetic)
            && behind.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'/');
        if !is_inner {
            joined.push(b' ');
        }
        rest = behind;
    }
    joined.extend_from_slice(rest);
    (joined.len() != value.len()).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_undone() {
        for value in [
            "1 %u%n%i%o%n %s%e%l%e%c%t 1,2--",
            "%s%e%l%e%c%t * %f%r%o%m users %w%h%e%r%e 1=1",
            "1 %o%r 1=1",
            "%1 %a%n%d %5%=%5",
            "1+and+1=1",
            "1'+order+by+3#",
            "-1+union+select+a,b+from+c",
            "1 a%n%d 1=1 --",
            "1 o/**/r 1=1",
            "1 un/**/ion sel/**/e/**/ct a,b fr/**/om c",
        ] {
            assert!(hidden_sql(value.as_bytes()).is_some(), "{value}");
        }
        for value in ["100%a%b", "a+or+b", "%e%n%d of the line", "c+and+d=5", "1+1=2", "rock+and+roll", ""] {
            assert_eq!(hidden_sql(value.as_bytes()), None, "{value}");
        }
    }
}
