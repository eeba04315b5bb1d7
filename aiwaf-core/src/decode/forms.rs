//! The forms in which one value is judged: as sent, and as it reads once each kind of encoding is undone.

use super::parameter::Place;
use super::{
    Buffer, base64_text, css_escapes, html_entities, javascript_escapes, path, percent, shell_quoting,
    sql_comments,
};

/// How a value reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The bytes as sent.
    Sent,
    /// Escapes of URLs and of UTF-8 undone to the last, no NUL, in lower case.
    Plain,
    /// As plain, and escapes of HTML and JavaScript undone.
    Unescaped,
    /// As plain, and escapes of HTML and CSS undone, which read some escapes otherwise than JavaScript does.
    CssUnescaped,
    /// As unescaped; comments of SQL and runs of white space are one blank.
    SqlFolded,
    /// As plain, without what a shell takes away from a word.
    ShellUnquoted,
    /// As plain, with slashes only and no segments that mean nothing.
    Path,
    /// What the value is the Base64 of, as plain.
    Base64,
}

impl Form {
    /// All forms, in the order in which they are made.
    pub(crate) const ALL: [Self; 8] = [
        Self::Sent,
        Self::Plain,
        Self::Unescaped,
        Self::CssUnescaped,
        Self::SqlFolded,
        Self::ShellUnquoted,
        Self::Path,
        Self::Base64,
    ];
}

/// The memory in which forms are written. Keep one for all values of a request.
#[derive(Default)]
pub(crate) struct Forms {
    plain: Buffer,
    unescaped: Buffer,
    css_unescaped: Buffer,
    sql_folded: Buffer,
    shell_unquoted: Buffer,
    path: Buffer,
    base64: Buffer,
    scratch: Buffer,
}

impl Forms {
    /// The distinct forms of one value. Takes linear time; one pass over a value that hides nothing.
    pub(crate) fn of<'s>(&'s mut self, value: &'s [u8], place: Place) -> FormList<'s> {
        let Self { plain, unescaped, css_unescaped, sql_folded, shell_unquoted, path, base64, scratch } =
            self;
        let mut texts = [None; Form::ALL.len()];
        percent::decode(value, place.has_plus_for_blank(), plain);
        if base64_text::decode(plain, scratch) {
            percent::decode(scratch, false, base64);
            base64.make_ascii_lowercase();
            texts[Form::Base64 as usize] = Some(&**base64);
        }
        plain.make_ascii_lowercase();
        texts[Form::Sent as usize] = Some(value);
        let plain: &[u8] = if **plain == *value { value } else { plain };
        texts[Form::Plain as usize] = Some(plain);
        html_entities::decode(plain, scratch);
        javascript_escapes::decode(scratch, unescaped);
        unescaped.make_ascii_lowercase();
        css_escapes::decode(scratch, css_unescaped);
        css_unescaped.make_ascii_lowercase();
        texts[Form::Unescaped as usize] = Some(&**unescaped);
        texts[Form::CssUnescaped as usize] = Some(&**css_unescaped);
        sql_comments::fold(unescaped, sql_folded);
        texts[Form::SqlFolded as usize] = Some(&**sql_folded);
        shell_quoting::unquote(plain, shell_unquoted);
        texts[Form::ShellUnquoted as usize] = Some(&**shell_unquoted);
        path::normalize_value(plain, path);
        texts[Form::Path as usize] = Some(&**path);
        let mut list = FormList { texts: [None; Form::ALL.len()] };
        for form in Form::ALL {
            let text = texts[form as usize];
            list.texts[form as usize] = text.filter(|text| !list.texts.contains(&Some(*text)));
        }
        list
    }
}

/// The distinct forms of one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormList<'s> {
    texts: [Option<&'s [u8]>; Form::ALL.len()],
}

impl<'s> FormList<'s> {
    /// The forms that differ from all before them, [`Form::Sent`] first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Form, &'s [u8])> {
        Form::ALL.into_iter().zip(self.texts).filter_map(|(form, text)| Some((form, text?)))
    }

    /// A form, even if it is the same as one before it. [`Form::Base64`] is there only for what is Base64.
    pub(crate) fn get(&self, form: Form) -> Option<&'s [u8]> {
        let before = match form {
            Form::Sent | Form::Base64 => None,
            Form::Plain => Some(Form::Sent),
            Form::SqlFolded => Some(Form::Unescaped),
            Form::Unescaped | Form::CssUnescaped | Form::ShellUnquoted | Form::Path => Some(Form::Plain),
        };
        self.texts[form as usize].or_else(|| self.get(before?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(value: &[u8], place: Place) -> Vec<(Form, String)> {
        let mut forms = Forms::default();
        let list = forms.of(value, place);
        list.iter().map(|(form, text)| (form, String::from_utf8_lossy(text).into_owned())).collect()
    }

    #[test]
    fn each_form_undoes_its_encoding() {
        for (value, form, expected) in [
            ("a%2527+b", Form::Plain, "a' b"),
            ("&lt;Script&#x3e;", Form::Unescaped, "<script>"),
            ("&amp;lt;", Form::Unescaped, "<"),
            (r"\u003cscript\x3E\74", Form::Unescaped, "<script><"),
            (r"\6a\61 vascript", Form::CssUnescaped, "javascript"),
            ("union/**/select--%0a\t1", Form::SqlFolded, "union select 1"),
            ("/*!50000union*/ select", Form::SqlFolded, " union select"),
            ("1 # x\n2#", Form::SqlFolded, "1 2#"),
            (r"c''at$IFS/et\c/pass'w'd", Form::ShellUnquoted, "cat /etc/passwd"),
            (r"x/..\./../etc//passwd", Form::Path, "../etc/passwd"),
            ("http://a//b", Form::Path, "http://a/b"),
            ("PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", Form::Base64, "<script>alert(1)</script>"),
        ] {
            let mut forms = Forms::default();
            let list = forms.of(value.as_bytes(), Place::Query);
            let text = String::from_utf8_lossy(list.get(form).unwrap_or_default());
            assert_eq!(text, expected, "{form:?} of {value}");
        }
    }

    #[test]
    fn what_hides_nothing_has_one_form() {
        for value in ["", "shoes", "running-shoes_42", "o'neill", "a@b.example", "1,5", "caf\u{e9}"] {
            assert_eq!(forms(value.as_bytes(), Place::Query), [(Form::Sent, value.to_owned())]);
        }
    }
}
