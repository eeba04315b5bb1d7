//! Reading a log line by line, in whatever format it is.

use std::fmt;

use super::csv;
use super::format::{LineError, LogFormat, trim_line};
use super::pattern::LogPattern;
use super::record::AccessRecord;
use super::w3c;
use super::{server_json, well_known, wrapper};

/// A format that logs are read in: ours, which other servers write as well, or another server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineFormat {
    /// One of ours. As `json` the names of other servers (nginx, Caddy, Traefik, Envoy) are understood too, and as
    /// `csv` any order of columns that a header gives.
    Own(LogFormat),
    /// The extended log file format of the W3C, which IIS and CloudFront write.
    W3c,
    /// A format that somebody describes as nginx does.
    Pattern(LogPattern),
}

impl LineFormat {
    /// The name: `combined`, `common`, `csv`, `json`, `w3c`, a server's name (`aws-alb`, `haproxy`,
    /// `nginx-proxy-manager`, `zoraxy`), or `pattern`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Own(format) => format.name(),
            Self::W3c => "w3c",
            Self::Pattern(pattern) => well_known::name_of(pattern).unwrap_or("pattern"),
        }
    }
}

impl From<LogFormat> for LineFormat {
    fn from(format: LogFormat) -> Self {
        Self::Own(format)
    }
}

impl fmt::Display for LineFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads a log line by line; remembers the columns that a header of csv or W3C names.
///
/// Cloning it after the first line gives other threads a parser that knows the columns.
///
/// ```
/// use aiwaf_core::{LineParser, LogFormat};
///
/// let mut parser = LineParser::new(LogFormat::Csv);
/// assert_eq!(parser.parse(b"ip,status_code,path,timestamp,method\n")?, None);
/// let record = parser.parse(b"192.0.2.7,404,/x,2025-09-14T15:02:41,GET\n")?.unwrap();
/// assert_eq!(record.status, 404);
/// # Ok::<(), aiwaf_core::LineError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LineParser {
    format: LineFormat,
    /// Whether a collector's part is to be taken off each line.
    wrapped: bool,
    csv: Option<csv::Columns>,
    w3c: Option<w3c::Columns>,
    /// Whether the last JSON line was not ours.
    server_json: bool,
}

impl LineParser {
    /// A parser of `format` that has seen no line.
    pub fn new(format: impl Into<LineFormat>) -> Self {
        Self { format: format.into(), wrapped: false, csv: None, w3c: None, server_json: false }
    }

    /// Takes off what collectors put in front of each line: syslog, Kubernetes, `docker compose`.
    #[must_use]
    pub fn unwrapping(self) -> Self {
        Self { wrapped: true, ..self }
    }

    /// A parser of the format that reads most of `sample`, the first lines of a log; `None` if none reads any.
    ///
    /// The whole log is then read in that format: if each line chose for itself, a client could choose for it by what
    /// it sends. Costs a few parses for each line of the sample.
    ///
    /// ```
    /// use aiwaf_core::LineParser;
    ///
    /// let sample = [&b"#Fields: date time c-ip cs-uri-stem sc-status"[..], b"2025-09-14 15:02:41 192.0.2.7 / 200"];
    /// let parser = LineParser::detect(&sample).unwrap();
    /// assert_eq!(parser.format().name(), "w3c");
    /// ```
    pub fn detect(sample: &[&[u8]]) -> Option<Self> {
        let formats = [LogFormat::Json.into(), LogFormat::Combined.into(), LineFormat::W3c]
            .into_iter()
            .chain(well_known::formats())
            .chain([LogFormat::Csv.into()]);
        let wrapped = sample.iter().filter(|line| wrapper::unwrap(line).is_some()).count() * 2 > sample.len();
        let (_, parser) = formats
            .map(|format| Self { wrapped, ..Self::new(format) })
            .map(|parser| (parser.count(sample), parser))
            .filter(|(read, _)| *read > 0)
            // Of several that read as much, the first: `max_by_key` would take the last.
            .reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        Some(parser.without_headers(sample))
    }

    /// Combined lines that have neither referer nor agent are common ones.
    fn without_headers(self, sample: &[&[u8]]) -> Self {
        if self.format != LineFormat::Own(LogFormat::Combined) {
            return self;
        }
        let mut parser = self.clone();
        let bare = sample.iter().all(|line| match parser.parse(line) {
            Ok(Some(record)) => record.user_agent.is_none() && record.response_time.is_none(),
            _ => true,
        });
        // `"-"` for an agent is still the combined format.
        let quoted = sample.iter().any(|line| line.trim_ascii_end().ends_with(b"\""));
        if bare && !quoted { Self { format: LogFormat::Common.into(), ..self } } else { self }
    }

    /// How many of these lines are requests. A line of a header counts once, so that a csv file of one is known.
    fn count(&self, sample: &[&[u8]]) -> usize {
        let mut parser = self.clone();
        let requests = sample.iter().filter(|line| matches!(parser.parse(line), Ok(Some(_)))).count();
        requests + usize::from(parser.csv.is_some() || parser.w3c.is_some())
    }

    /// What it reads.
    pub fn format(&self) -> &LineFormat {
        &self.format
    }

    /// Whether it takes a collector's part off each line.
    pub fn is_unwrapping(&self) -> bool {
        self.wrapped
    }

    /// Reads one line, with or without its line break; `None` if it holds no request: a blank line, a header, or a
    /// directive of the W3C's format.
    ///
    /// # Errors
    /// [`LineError`] names the field that is missing or wrong; the parser can go on with the next line.
    pub fn parse<'a>(&mut self, line: &'a [u8]) -> Result<Option<AccessRecord<'a>>, LineError> {
        let line = trim_line(line);
        let line = if self.wrapped { wrapper::unwrap(line).unwrap_or(line) } else { line };
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        match &self.format {
            LineFormat::Own(LogFormat::Csv) => self.parse_csv(line),
            LineFormat::Own(LogFormat::Json) => self.parse_json(line).map(Some),
            LineFormat::Own(format) => format.parse_line(line).map(Some),
            LineFormat::W3c => self.parse_w3c(line),
            LineFormat::Pattern(pattern) => pattern.parse(line).map(Some),
        }
    }

    fn parse_csv<'a>(&mut self, line: &'a [u8]) -> Result<Option<AccessRecord<'a>>, LineError> {
        let parsed = match &self.csv {
            Some(columns) => columns.parse(line),
            None => csv::parse(line),
        };
        // Once the columns are known, a header (of another version that appended to the file) may only stand where the
        // server writes the time, so that no client can send one.
        match parsed {
            Err(error) if self.csv.is_none() || error == (LineError::Invalid { field: "timestamp" }) => {
                self.csv = Some(csv::Columns::from_header(line).ok_or(error)?);
                Ok(None)
            }
            parsed => parsed.map(Some),
        }
    }

    /// Ours or another server's; the one that the last line was comes first.
    fn parse_json<'a>(&mut self, line: &'a [u8]) -> Result<AccessRecord<'a>, LineError> {
        let own = |line| LogFormat::Json.parse_line(line);
        if self.server_json {
            return server_json::parse(line).or_else(|error| own(line).map_err(|_| error));
        }
        own(line).or_else(|error| {
            let record = server_json::parse(line).map_err(|foreign| match foreign {
                // Not even JSON: where it breaks is the same for both.
                LineError::Json { .. } => error,
                foreign => foreign,
            })?;
            self.server_json = true;
            Ok(record)
        })
    }

    /// A line that begins with `#` is a directive: requests begin with their date or another field of the server's.
    fn parse_w3c<'a>(&mut self, line: &'a [u8]) -> Result<Option<AccessRecord<'a>>, LineError> {
        if w3c::is_directive(line) {
            if let Some(columns) = w3c::Columns::from_directive(line) {
                self.w3c = Some(columns);
            }
            return Ok(None);
        }
        let columns =
            self.w3c.as_ref().ok_or(LineError::Missing { field: "#Fields directive before this line" })?;
        columns.parse(line).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn detected(sample: &[&str]) -> Option<String> {
        let sample: Vec<&[u8]> = sample.iter().map(|line| line.as_bytes()).collect();
        let parser = LineParser::detect(&sample)?;
        Some(format!("{}{}", if parser.is_unwrapping() { "wrapped " } else { "" }, parser.format()))
    }

    #[test]
    fn formats_are_told_by_their_lines() {
        let common = r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 -"#;
        let combined = r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 - "-" "x""#;
        let junk = "[Thu Sep 30 13:27:06.009964 2021] [:error] [client ::1:37752] nonsense";
        for (sample, expected) in [
            (&[common][..], Some("common")),
            (&[junk, combined], Some("combined")),
            (&[common, combined], Some("combined")),
            (&[r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "-" 408 - "-" "-""#], Some("combined")),
            (
                &["Sep 15 16:13:46 a nginx[7]: x", &format!("Sep 15 16:13:46 a nginx[7]: {combined}")],
                Some("wrapped combined"),
            ),
            (&[r#"{"level":"error"}"#, r#"{"ts":1,"status":"200","ip":"::1","uri":"/"}"#], Some("json")),
            (&["timestamp,ip,path,status_code"], Some("csv")),
            (&["#Fields: date time c-ip cs-uri-stem sc-status"], Some("w3c")),
            (
                &[
                    r#"https 2023-04-26T12:23:00.186641Z app/x 192.0.2.7:44740 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://a.example:443/robots.txt HTTP/1.1" "curl/7.46.0" - -"#,
                ],
                Some("aws-alb"),
            ),
            (
                &[
                    r#"192.0.2.7:14853 [14/Jan/2015:12:48:57.127] in~ out/a 170/0/0/3/173 200 739 - - --NN 0/0/0/0/0 0/0 "GET /x HTTP/1.1""#,
                ],
                Some("haproxy"),
            ),
            (&[junk, ""], None),
            (&[], None),
        ] {
            assert_eq!(detected(sample).as_deref(), expected, "{sample:?}");
        }
    }

    /// The site that a client asks for stands in front of its address, so it must not be taken for the client.
    #[test]
    fn the_name_of_a_site_is_no_client() {
        let mut parser = LineParser::new(LogFormat::Combined);
        for site in ["a.example", "a.example:443", "198.51.100.9", "-", "198.51.100.9,"] {
            let line = format!(r#"{site} 192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 1"#);
            let record = parser.parse(line.as_bytes()).unwrap().unwrap();
            assert_eq!(record.client.to_string(), "192.0.2.7", "{line}");
        }
    }

    #[test]
    fn original_defect_23_response_times_of_other_servers_are_read() {
        let timed = |tail: &str| {
            let line =
                format!(r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 7 "-" "x"{tail}"#);
            let record = LogFormat::Combined.parse_line(line.as_bytes()).unwrap().into_owned();
            record.response_time.map(|taken| taken.as_micros())
        };
        for tail in [
            " response-time=0.25",
            " rt=0.250",
            " 0.250",
            r#" "10.0.0.1" 0.250 0.249 ."#,
            r#" "a \" b" 0.250"#,
        ] {
            assert_eq!(timed(tail), Some(250_000), "{tail}");
        }
        for tail in [
            "",
            " 250",
            " 0.25",
            r#" "0.250""#,
            r#" "rt=0.250""#,
            " rt=x",
            " \"",
            r#" "a" "b" "c" "d" "e" 0.250"#,
        ] {
            assert_eq!(timed(tail), None, "{tail}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_detection_panic(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let sample: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            let _ = LineParser::detect(&sample);
        }
    }

    /// No format's parser may take time that grows with the square of a line's length.
    #[test]
    fn original_defect_26_all_formats_are_read_in_linear_time() {
        let starts = [
            r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 5 "-" "-" "#,
            r#"{"ts":1,"status":200,"ip":"::1","request":""#,
            r#"https 2023-04-26T12:23:00.186641Z app/x 192.0.2.7:1 - 0 0 0 200 200 0 57 "GET "#,
            "2025-09-14 15:02:41 ",
            "<13>1 2025-09-14T15:02:41Z ",
        ];
        for piece in ["\" ", "\\\"", "\"", "[", " ", "\\x", "- ", "\" \"", "{\"a\":", "\t", "] [client: "] {
            for start in starts {
                let line = start.to_owned() + &piece.repeat(100_000);
                let _ =
                    LineParser::detect(&[b"#Fields: date time c-ip cs-uri-stem sc-status", line.as_bytes()]);
            }
        }
    }
}
