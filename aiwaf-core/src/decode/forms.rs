//! The forms in which one value is judged: as sent, and as it reads once each kind of encoding is undone.

use super::parameter::Place;
use super::scan::Kinds;
use super::scratch::Scratch;
use super::{
    base64_text, compatibility, css_escapes, html_entities, javascript_escapes, path, percent, shell_quoting,
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
    /// What the value is the Base64 of, as plain, and escapes of JavaScript undone.
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

/// Forms of a value; asking costs a machine word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormSet(u8);

impl FormSet {
    pub(crate) const EMPTY: Self = Self(0);
    #[cfg(any(test, feature = "internals"))]
    pub(crate) const ALL: Self = Self(u8::MAX);

    pub(crate) const fn with(self, form: Form) -> Self {
        Self(self.0 | 1 << form as u8)
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, form: Form) -> bool {
        self.overlaps(Self::EMPTY.with(form))
    }

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The memory in which forms are written. Keep one for all values of a request.
///
/// For values of up to 256 bytes nothing is allocated; what was allocated for longer ones is used again.
#[derive(Default)]
pub(crate) struct Forms {
    plain: Scratch,
    entities: Scratch,
    javascript: Scratch,
    unescaped: Scratch,
    css: Scratch,
    css_unescaped: Scratch,
    sql_folded: Scratch,
    shell_unquoted: Scratch,
    path: Scratch,
    base64: Base64Memory,
}

#[derive(Default)]
struct Base64Memory {
    text: Scratch,
    unescaped: Scratch,
    plain: Scratch,
}

impl Forms {
    /// Two bytes that can give a value another form, though each alone can't.
    pub(crate) const TELLING_PAIRS: [&'static str; 5] = ["/*", "  ", "//", "/.", "./"];

    /// Whether a value of bytes of these kinds, with none of the [`TELLING_PAIRS`](Self::TELLING_PAIRS) in it, may read
    /// otherwise than it was sent or be the Base64 of something. If not, as with most, all its forms but
    /// [`Form::Base64`] are the value itself, but for the case of its letters.
    pub(crate) fn has_others(value: &[u8], kinds: Kinds, place: Place) -> bool {
        kinds.any(TELLING)
            || kinds.any(Kinds::FOLDABLE) && compatibility::has_foldable(value)
            || place.has_plus_for_blank() && kinds.any(Kinds::PLUS)
            || may_be_base64(value, kinds)
            || kinds.any(Kinds::QUOTING) && shell_quoting::changes(value)
    }

    /// The distinct forms of one value, of whose bytes the kinds are `sent`; of the dearer ones only those that are
    /// `wanted`. Takes linear time.
    pub(crate) fn of<'s>(
        &'s mut self,
        value: &'s [u8],
        sent: Kinds,
        place: Place,
        wanted: FormSet,
    ) -> FormList<'s> {
        let mut list = FormList::new(value);
        let plus = place.has_plus_for_blank() && sent.any(Kinds::PLUS);
        let is_escaped =
            sent.any(Kinds::ESCAPE) || sent.any(Kinds::FOLDABLE) && compatibility::has_foldable(value);
        if !plus && !is_escaped && !sent.any(INTERESTING) {
            // Nothing in it means anything; only Base64 consists of nothing but letters.
            list.add_base64(value, sent, &mut self.base64);
            return list;
        }
        let (text, kinds) = if plus || is_escaped {
            let plain = percent::decode(value, plus, &mut self.plain);
            list.add_base64(plain, sent, &mut self.base64);
            plain.make_ascii_lowercase();
            list.add(Form::Plain, plain);
            list.is_escaped = true;
            // A plus for a blank makes nothing but blanks.
            let kinds = if is_escaped { Kinds::of(plain) } else { sent.and(Kinds::COMMENT) };
            (&*plain, kinds)
        } else {
            list.add_base64(value, sent, &mut self.base64);
            if sent.any(Kinds::UPPER) {
                let mut plain = self.plain.writer(value.len());
                plain.extend(value);
                plain.text_mut().make_ascii_lowercase();
                list.add(Form::Plain, plain.finish());
            }
            (list.texts[Form::Plain as usize], sent)
        };
        let mut unescaped = text;
        if kinds.any(Kinds::AMPERSAND.and(Kinds::BACKSLASH)) {
            let entities = html_entities::decode(text, &mut self.entities);
            unescaped = entities;
            if memchr::memchr(b'\\', entities).is_some() {
                let css = wanted.contains(Form::CssUnescaped).then(|| {
                    finish_unescaped(css_escapes::decode(entities, &mut self.css), &mut self.css_unescaped)
                });
                unescaped = javascript_escapes::decode(entities, &mut self.javascript);
                unescaped = finish_unescaped(unescaped, &mut self.unescaped);
                list.add(Form::Unescaped, unescaped);
                if let Some(css) = css {
                    list.add(Form::CssUnescaped, css);
                }
            } else {
                unescaped = finish_unescaped(unescaped, &mut self.unescaped);
                list.add(Form::Unescaped, unescaped);
            }
        }
        // An escape is longer than what it stands for, so that something was unescaped if the length is another.
        let may_fold = kinds.any(Kinds::COMMENT.and(Kinds::SLASH)) || unescaped.len() != text.len();
        let may_fold = may_fold && wanted.contains(Form::SqlFolded);
        if let Some(folded) = may_fold.then(|| sql_comments::fold(unescaped, &mut self.sql_folded)).flatten()
        {
            list.add(Form::SqlFolded, folded);
        }
        if kinds.any(Kinds::QUOTING.and(Kinds::BACKSLASH))
            && let Some(unquoted) = shell_quoting::unquote(text, &mut self.shell_unquoted)
        {
            list.add(Form::ShellUnquoted, unquoted);
        }
        if kinds.any(Kinds::SLASH.and(Kinds::BACKSLASH))
            && let Some(normal) = path::normalize_value(text, &mut self.path)
        {
            list.add(Form::Path, normal);
        }
        list
    }
}

/// What may give a value another form, whatever stands beside it, and not only one in lower case.
const TELLING: Kinds = Kinds::ESCAPE.and(Kinds::AMPERSAND).and(Kinds::BACKSLASH).and(Kinds::BREAK);

fn may_be_base64(value: &[u8], kinds: Kinds) -> bool {
    (!kinds.any(Kinds::NOT_BASE64) || value.starts_with(b"data:")) && base64_text::may_be(value)
}

/// What may give a value another form.
const INTERESTING: Kinds = Kinds::ESCAPE
    .and(Kinds::UPPER)
    .and(Kinds::AMPERSAND)
    .and(Kinds::BACKSLASH)
    .and(Kinds::SLASH)
    .and(Kinds::COMMENT)
    .and(Kinds::QUOTING);

/// The forms of one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormList<'s> {
    /// The forms that were made; any others are the value as sent.
    texts: [&'s [u8]; Form::ALL.len()],
    /// Which forms were made, a bit for each.
    made: u8,
    /// Which of them are not empty and the same as none before.
    distinct: u8,
    /// For each form that was made, the first with the same text.
    first: [Form; Form::ALL.len()],
    /// Whether escapes were undone for [`Form::Plain`], or `+` stands for a blank.
    is_escaped: bool,
}

impl<'s> FormList<'s> {
    fn new(value: &'s [u8]) -> Self {
        let texts = [value; Form::ALL.len()];
        Self { texts, made: 1, distinct: 1, first: Form::ALL, is_escaped: false }
    }

    /// Adds a form.
    fn add(&mut self, form: Form, text: &'s [u8]) {
        let same = self.iter().find(|(_, earlier)| *earlier == text);
        self.texts[form as usize] = text;
        self.made |= 1 << form as u8;
        match same {
            Some((earlier, _)) => self.first[form as usize] = earlier,
            None => self.distinct |= u8::from(!text.is_empty()) << form as u8,
        }
    }

    /// Adds what `value`, of which the kinds of bytes are known as it was sent, is the Base64 of.
    fn add_base64(&mut self, value: &[u8], sent: Kinds, memory: &'s mut Base64Memory) {
        if may_be_base64(value, sent)
            && let Some(text) = base64_text::decode(value, &mut memory.text)
        {
            // There is no further form of it, so that this one undoes what scripts escape as well: letters in full, for
            // any other backslash may be one of a path.
            let escaped = memchr::memmem::find(text, b"\\u00").or_else(|| memchr::memmem::find(text, b"\\x"));
            let text = match escaped {
                Some(_) => javascript_escapes::decode(text, &mut memory.unescaped),
                None => text,
            };
            let plain = percent::decode(text, false, &mut memory.plain);
            plain.make_ascii_lowercase();
            self.add(Form::Base64, plain);
        }
    }

    /// The forms that are not empty and differ from all before them, [`Form::Sent`] first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Form, &'s [u8])> {
        let mut left = self.distinct;
        std::iter::from_fn(move || {
            let form = *Form::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some((form, self.texts[form as usize]))
        })
    }

    /// A form, even if it is the same as one before it. [`Form::Base64`] is there only for what is Base64.
    #[cfg(test)]
    pub(crate) fn get(&self, form: Form) -> Option<&'s [u8]> {
        self.made_for(form).map(|made| self.texts[made as usize])
    }

    /// The form that was made and reads as `form` does, if any was.
    fn made_for(&self, form: Form) -> Option<Form> {
        if self.made & 1 << form as u8 != 0 {
            return Some(form);
        }
        self.made_for(match form {
            Form::Sent | Form::Base64 => return None,
            Form::Plain => Form::Sent,
            Form::SqlFolded => Form::Unescaped,
            Form::Unescaped | Form::CssUnescaped | Form::ShellUnquoted | Form::Path => Form::Plain,
        })
    }

    /// All forms that read as the distinct `form` does.
    pub(crate) fn same_as(&self, form: Form) -> FormSet {
        Form::ALL.into_iter().fold(FormSet::EMPTY.with(form), |set, other| match self.made_for(other) {
            Some(made) if self.first[made as usize] == form => set.with(other),
            _ => set,
        })
    }

    /// Whether the value as sent differs from [`Form::Plain`] in its case only, but in that.
    pub(crate) fn differs_in_case(&self) -> bool {
        self.made & 1 << Form::Plain as u8 != 0 && !self.is_escaped
    }
}

/// Undoes what had been hidden from the decoder of URLs.
fn finish_unescaped<'s>(text: &'s [u8], memory: &'s mut Scratch) -> &'s [u8] {
    if !Kinds::of(text).any(Kinds::ESCAPE.and(Kinds::UPPER)) {
        return text;
    }
    let plain = percent::decode(text, false, memory);
    plain.make_ascii_lowercase();
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(value: &[u8], place: Place) -> Vec<(Form, String)> {
        let mut forms = Forms::default();
        let list = forms.of(value, Kinds::of(value), place, FormSet::ALL);
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
            ("XHUwMDNjc2NyaXB0PmFsZXJ0KDEp", Form::Base64, "<script>alert(1)"),
            ("Li5cLi5cYm9vdC5pbmk=", Form::Base64, r"..\..\boot.ini"),
        ] {
            let mut forms = Forms::default();
            let value = value.as_bytes();
            let list = forms.of(value, Kinds::of(value), Place::Query, FormSet::ALL);
            let text = String::from_utf8_lossy(list.get(form).unwrap_or_default());
            assert_eq!(text, expected, "{form:?} of {}", value.escape_ascii());
        }
    }

    #[test]
    fn what_hides_nothing_has_one_form() {
        for value in ["", "shoes", "running-shoes_42", "o'neill", "a@b.example", "1,5", "caf\u{e9}"] {
            assert_eq!(forms(value.as_bytes(), Place::Query), [(Form::Sent, value.to_owned())]);
        }
    }
}
