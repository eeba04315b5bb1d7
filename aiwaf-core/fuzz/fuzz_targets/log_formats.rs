//! Arbitrary logs in every format that is only read: nothing panics, detection included, and what is read can be written
//! in our formats. The first line may describe a format as nginx does.

#![no_main]

use aiwaf_core::{LineFormat, LineParser, LogFormat, LogPattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let described = lines.first().and_then(|line| std::str::from_utf8(line).ok()?.parse::<LogPattern>().ok());
    let mut formats =
        vec![LineFormat::W3c, LogFormat::Json.into(), LogFormat::Csv.into(), LogFormat::Combined.into()];
    formats.extend(described.map(LineFormat::Pattern));
    let sample = lines.get(..64).unwrap_or(&lines);
    let parsers = formats
        .into_iter()
        .flat_map(|format| [LineParser::new(format.clone()), LineParser::new(format).unwrapping()]);
    for mut parser in parsers.chain(LineParser::detect(sample)) {
        for line in &lines {
            let Ok(Some(record)) = parser.parse(line) else { continue };
            let mut written = Vec::new();
            LogFormat::Json.write(&record, &mut written);
            assert_eq!(LogFormat::Json.parse_line(&written), Ok(LogFormat::Json.carried(&record)));
        }
    }
});
