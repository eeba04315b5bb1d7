//! Arbitrary lines as access logs: nothing panics, and what one format reads, every format writes and reads back.

#![no_main]

use aiwaf_core::{LineParser, LogFormat};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = LogFormat::detect(data);
    for format in LogFormat::ALL {
        let mut parser = LineParser::new(format);
        for line in data.split_inclusive(|&byte| byte == b'\n') {
            let Ok(Some(record)) = parser.parse(line) else { continue };
            for written_as in LogFormat::ALL {
                let mut written = Vec::new();
                written_as.write(&record, &mut written);
                assert!(written.len() <= LogFormat::MAX_LINE);
                assert_eq!(written.iter().filter(|&&byte| matches!(byte, b'\n' | b'\r')).count(), 1);
                let read = written_as.parse_line(&written);
                assert_eq!(read, Ok(written_as.carried(&record)), "{}", written.escape_ascii());
            }
        }
    }
});
