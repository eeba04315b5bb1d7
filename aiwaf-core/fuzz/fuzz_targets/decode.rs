//! Arbitrary values through all decoders: nothing panics, no form is longer than what was sent or the same as another,
//! what is plain stays plain, and memory that was used before changes nothing.

#![no_main]

use aiwaf_core::internals::{Decoder, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut decoder = Decoder::default();
    for source in [Source::Query, Source::Content] {
        let forms = forms(&mut decoder, data, source);
        assert_eq!(forms.first().map(|(_, text)| &text[..]), Some(data));
        for (index, (form, text)) in forms.iter().enumerate() {
            assert!(text.len() <= data.len(), "{form}: {}", text.escape_ascii());
            assert!(forms[..index].iter().all(|(_, earlier)| earlier != text), "{form}");
            if form == "Plain" {
                let again = self::forms(&mut decoder, text, Source::Content);
                assert!(again.iter().all(|(form, _)| form != "Plain"), "{}", text.escape_ascii());
            }
        }
        assert_eq!(self::forms(&mut Decoder::default(), data, source), forms);
    }
    // Each byte is at most in a name, twice, or in a value, in each of the eight forms.
    assert!(decoder.query(data) <= 16 * data.len());
    assert!(decoder.cookie(data) <= 16 * data.len());
});

fn forms(decoder: &mut Decoder, value: &[u8], source: Source) -> Vec<(String, Vec<u8>)> {
    let mut forms = Vec::new();
    decoder.forms(value, source, &mut |form, text| forms.push((form.to_owned(), text.to_vec())));
    forms
}
