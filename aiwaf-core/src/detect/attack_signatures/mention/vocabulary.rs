//! Words of prose, told from those of shells, databases and languages.

/// Counts the words of prose in `text`: letters with blanks or punctuation around them, and no word of a shell, of SQL
/// or of code. Stops at [`ENOUGH`].
pub(super) fn prose_words(text: &[u8]) -> usize {
    text.split(u8::is_ascii_whitespace).filter(|word| is_prose(word)).take(ENOUGH).count()
}

/// More words say nothing more.
const ENOUGH: usize = 16;

fn is_prose(word: &[u8]) -> bool {
    let opening = word.iter().position(|byte| !b"(\"'*_".contains(byte)).unwrap_or(word.len());
    let word = word.get(opening..).unwrap_or_default();
    let closing = word.iter().rposition(|byte| !b".,:;!?)\"'*_".contains(byte)).map_or(0, |at| at + 1);
    let word = word.get(..closing).unwrap_or_default();
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80 || *byte == b'\'';
    (2..=24).contains(&word.len()) && word.iter().all(is_letter) && !is_technical(word)
}

fn is_technical(word: &[u8]) -> bool {
    let mut memory = [0; 24];
    memory.get_mut(..word.len()).is_some_and(|lower| {
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        TECHNICAL.binary_search(&&*lower).is_ok()
    })
}

/// Words that attacks consist of as well, in order.
#[rustfmt::skip]
const TECHNICAL: [&[u8]; 117] = [
    b"all", b"alter", b"and", b"as", b"asc", b"awk", b"base", b"bash", b"begin", b"between", b"by", b"call",
    b"case", b"cast", b"cat", b"cd", b"char", b"chmod", b"chr", b"cmd", b"concat", b"cp", b"create",
    b"curl", b"declare", b"delay", b"delete", b"desc", b"die", b"dir", b"distinct", b"drop", b"dual",
    b"echo", b"else", b"end", b"env", b"eval", b"exec", b"exists", b"exit", b"export", b"false", b"find",
    b"from", b"grep", b"group", b"having", b"head", b"hostname", b"id", b"if", b"ifconfig", b"in",
    b"include", b"insert", b"int", b"into", b"ipconfig", b"join", b"less", b"like", b"limit", b"ls",
    b"more", b"mv", b"nc", b"netstat", b"new", b"nl", b"not", b"nslookup", b"null", b"on", b"or", b"order",
    b"passthru", b"passwd", b"perl", b"php", b"ping", b"powershell", b"print", b"proc", b"ps", b"public",
    b"pwd", b"python", b"regexp", b"require", b"return", b"rlike", b"rm", b"ruby", b"sed", b"select",
    b"set", b"sh", b"shutdown", b"sleep", b"system", b"table", b"tail", b"then", b"touch", b"true", b"type",
    b"uname", b"union", b"update", b"user", b"values", b"version", b"wget", b"when", b"where", b"whoami",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn technical_words_are_in_order() {
        assert!(TECHNICAL.is_sorted());
    }

    #[test]
    fn words_of_prose_are_counted() {
        for (text, expected) in [
            ("", 0),
            ("see the log, please.", 4),
            ("cat /etc/passwd", 0),
            ("1 union select null from dual", 0),
            ("(I) don't know", 2),
            ("sch\u{f6}ne Gr\u{fc}\u{df}e", 2),
            ("a=b c/d e.f x1", 0),
            ("\u{65e5}\u{672c}", 1),
        ] {
            assert_eq!(prose_words(text.as_bytes()), expected, "{text}");
        }
    }
}
