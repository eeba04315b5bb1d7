//! Lists of words that several rules of a file name, so that each stands in one place.

use std::collections::BTreeMap;

/// The lists of a rule file by their names.
///
/// A pattern names a list as `@{name}`, which stands for any one of its words; in `literals` a text that is `@{name}`
/// and nothing else stands for all of them.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Words(BTreeMap<String, Vec<String>>);

impl Words {
    /// `pattern` with an alternation in the place of each name, the longest words first.
    ///
    /// # Errors
    /// If there is no list of that name, or nothing closes the name.
    pub(super) fn in_pattern(&self, pattern: &str) -> Result<String, String> {
        let mut expanded = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("@{") {
            let (name, behind) = after.split_once('}').ok_or("`@{` in the pattern is not closed by `}`")?;
            let mut words: Vec<&str> = self.list(name)?.iter().map(String::as_str).collect();
            words.sort_by_key(|word| std::cmp::Reverse(word.len()));
            let words: Vec<_> = words.into_iter().map(regex::escape).collect();
            expanded.extend([before, "(?:", &words.join("|"), ")"]);
            rest = behind;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// `literals` with the words in the place of each name.
    ///
    /// # Errors
    /// If there is no list of that name.
    pub(super) fn in_literals(&self, literals: Vec<String>) -> Result<Vec<String>, String> {
        let mut expanded = Vec::with_capacity(literals.len());
        for literal in literals {
            match literal.strip_prefix("@{").and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => expanded.extend_from_slice(self.list(name)?),
                None => expanded.push(literal),
            }
        }
        Ok(expanded)
    }

    fn list(&self, name: &str) -> Result<&[String], String> {
        let words = self.0.get(name).ok_or_else(|| {
            let close = crate::suggest::closest(name, self.0.keys().map(String::as_str));
            let suggestion = close.map(|close| format!(": did you mean `{close}`?")).unwrap_or_default();
            format!("there is no list of words {name:?}{suggestion}")
        })?;
        // A pattern leaves out white space, so that a word with a blank would stand for another.
        match words.iter().find(|word| word.is_empty() || word.contains(char::is_whitespace)) {
            Some(word) => {
                Err(format!("{word:?} in the list {name:?}: a word is not empty and has no blanks"))
            }
            None if words.is_empty() => Err(format!("the list of words {name:?} is empty")),
            None => Ok(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        toml::from_str("tools = [\"apt\", \"apt-get\", \"g++\"]\nnone = []\nodd = [\"a b\"]").unwrap()
    }

    #[test]
    fn a_name_stands_for_its_words() {
        let pattern = words().in_pattern("^@{tools}; x@{tools}").unwrap();
        assert_eq!(pattern, r"^(?:apt\-get|apt|g\+\+); x(?:apt\-get|apt|g\+\+)");
        assert_eq!(words().in_pattern("a{2}@x").unwrap(), "a{2}@x");
        let literals = words().in_literals(vec!["id".into(), "@{tools}".into()]).unwrap();
        assert_eq!(literals, ["id", "apt", "apt-get", "g++"]);
    }

    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        for (pattern, said) in [
            ("@{tool}", "did you mean `tools`?"),
            ("@{tools", "not closed"),
            ("@{none}", "is empty"),
            ("@{odd}", "no blanks"),
        ] {
            let error = words().in_pattern(pattern).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(words().in_literals(vec!["@{x}".into()]).is_err());
    }
}
