//! Command lines: flags, options with a value, and the rest.

/// The command line can't be understood; the process ends with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

impl UsageError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// What was typed after a command.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    flags: Vec<String>,
    values: Vec<(String, String)>,
    /// What is no option, in order.
    pub(crate) positional: Vec<String>,
}

impl Options {
    /// Reads `arguments`, of which `flags` stand alone and `valued` take a value (`--rate 10` or `--rate=10`).
    ///
    /// # Errors
    /// [`UsageError`] for an option that is neither, and for a value that is missing.
    pub(crate) fn parse(arguments: &[String], flags: &[&str], valued: &[&str]) -> Result<Self, UsageError> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') {
                options.positional.push(argument.clone());
                continue;
            }
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            if valued.contains(&name) {
                let value = attached.or_else(|| arguments.next().cloned());
                let value = value.ok_or_else(|| UsageError::new(format!("{name} needs a value")))?;
                options.values.push((name.to_owned(), value));
            } else if flags.contains(&argument.as_str()) {
                options.flags.push(argument.clone());
            } else {
                let known = [flags, valued].concat().join(", ");
                return Err(UsageError::new(format!(
                    "there is no option {argument:?} here; allowed: {known}"
                )));
            }
        }
        Ok(options)
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    /// The text given for `name`, the last one if there are several.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The number given for `name`, the last one if there are several, else `default`.
    ///
    /// # Errors
    /// [`UsageError`] unless it is a whole number of at least 1.
    pub(crate) fn number(&self, name: &str, default: u32) -> Result<u32, UsageError> {
        match self.values.iter().rev().find(|(given, _)| given == name) {
            None => Ok(default),
            Some((_, value)) => value.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                UsageError::new(format!("{name} {value:?} is not allowed: give a whole number of at least 1"))
            }),
        }
    }

    /// Refuses positional arguments where a command takes none.
    pub(crate) fn nothing_else(&self) -> Result<(), UsageError> {
        match self.positional.first() {
            None => Ok(()),
            Some(extra) => Err(UsageError::new(format!("{extra:?} is one argument too many"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, UsageError> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Options::parse(&arguments, &["--json"], &["--rate"])
    }

    #[test]
    fn flags_values_and_the_rest() {
        let options = parse(&["a", "--rate", "5", "--json", "b", "--rate=7"]).unwrap();
        assert!(options.has("--json"));
        assert_eq!(options.positional, ["a", "b"]);
        assert_eq!(options.number("--rate", 1).unwrap(), 7);
        assert_eq!(parse(&[]).unwrap().number("--rate", 3).unwrap(), 3);
        assert!(parse(&[]).unwrap().nothing_else().is_ok() && options.nothing_else().is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (arguments, named) in
            [(&["--jsn"] as &[&str], "--jsn"), (&["--json=1"], "--json=1"), (&["--rate"], "--rate")]
        {
            let error = parse(arguments).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        for value in ["0", "-1", "x", ""] {
            let error = parse(&[&format!("--rate={value}")]).unwrap().number("--rate", 1).unwrap_err();
            assert!(error.to_string().contains("at least 1"), "{error}");
        }
    }
}
