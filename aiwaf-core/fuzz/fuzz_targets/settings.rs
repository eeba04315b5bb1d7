//! Arbitrary text as a settings file: nothing panics, what is accepted runs, and is written and read back equal.

#![no_main]

use aiwaf_core::{Engine, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // The last line, if it is an assignment, is a variable as well.
    let variable = text.lines().last().and_then(|line| line.split_once('='));
    let variables = variable.map(|(name, value)| (format!("AIWAF_{}", name.trim()), value.trim().to_owned()));
    if let Err(error) = Settings::load(None, variables) {
        assert!(!error.to_string().is_empty());
    }
    let Ok(settings) = Settings::load(Some(("aiwaf.toml", text)), []) else { return };
    let written = toml::to_string(&settings).expect("what was read can be written");
    let read = Settings::load(Some(("aiwaf.toml", &written)), []);
    assert_eq!(read.as_ref(), Ok(&settings), "{written}");
    if let Err(error) = Engine::builder().settings(settings).build() {
        assert!(!error.to_string().is_empty());
    }
});
