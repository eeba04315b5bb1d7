//! Learning from access logs: which words and which clients mean an attack, and what an ordinary request looks like.
//!
//! [`Sources`] finds logs and reads them as one, in the order of time: files and directories, rotated and compressed, in
//! whatever format each is. [`Training`] learns from them. A [`TrainingReport`] says what was learned and why, as text, as
//! JSON and as a page with pictures, and carries it out: bans and keywords through `aiwaf_storage::Manager`, the model as a
//! file that running services pick up. [`statistics`] learns nothing: it counts what happened.
//!
//! ```no_run
//! use std::sync::Arc;
//! use aiwaf_core::Timestamp;
//! use aiwaf_storage::{CsvStore, Manager};
//! use aiwaf_trainer::{Sources, Training, TrainingOptions, report};
//!
//! let manager = Manager::new(Arc::new(CsvStore::open("aiwaf_data")?));
//! let options = TrainingOptions { lists: manager.load()?.lists, ..TrainingOptions::default() };
//! let trained = Training::new(options).run(Sources::find(["/var/log/nginx"])?, &mut ())?;
//! print!("{}", report::text(&trained));
//! trained.apply(&manager, Timestamp::from_unix_seconds(1.8e9))?;
//! trained.save_model("aiwaf_data/model.aiwaf")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it learns
//!
//! One pass over the lines, each of which becomes what the engine would have seen: the same code brings path and query
//! into normal form, counts keywords, knows the paths that the site answers, and makes the row that the model sees. Lines
//! that a protection denied and exempt paths teach nothing, as in serving.
//!
//! - **Bans** ([`BanRule`]): scanning, floods of 404, keywords in most requests, guessing of passwords, and behaviour that
//!   is suspicious while the model finds it anomalous. Nobody is banned for a single request.
//! - **Keywords** ([`LearnedKeyword`]): words of failed attacks that several clients asked for and that no page of the site
//!   has.
//! - **The model** ([`ModelReport`]): an isolation forest over a random sample of the requests, from 10,000 lines on.
//! - **Held back** ([`HeldOut`]): the latest fifth of the lines is played to an engine that knows what was learned from the
//!   earlier ones, and says who would have been turned away; then everything is learned from all lines.
//!
//! # Judgements
//!
//! - A search engine is believed to be one by its name, for training makes no look-ups; so the name excuses how *much* it
//!   asked for, and nothing that only scanners ask for.
//! - Loopback is never banned and private addresses only if that is asked for: in the log of a service behind a proxy they
//!   are everybody.
//! - Host names can't be banned: whoever owns the address may call it anything.
//! - A path is known to the site once two clients got an answer for it, or if a route is registered; what is known is
//!   never a probe, and none of its words becomes a keyword, whenever in the log it was answered.
//! - Broken links are not held against visitors: a referer counts as the site's own once its pages are among those that
//!   this log shows. It excuses no path that only scanners ask for, for referers can be invented.
//! - A word that stands beside a keyword (`/our-new-tents/x.php`) is not learned: what is blocked already teaches nothing,
//!   and its neighbours may be innocent.
//! - A log without response times makes the model ignore them; if some lines have them, the others count as the median.
//! - The first name in a line is no client if an address follows: it is the site that the client asked for. Who asked is
//!   never taken from a forwarding header.
//! - The whole of a file is read in the format of its first lines: were each line to choose for itself, a client could
//!   choose for it.
//! - The model says that it was trained at the time of the latest request, and names the logs without their directories:
//!   the same logs make the same file, bit for bit.
//!
//! # Memory
//!
//! It does not grow with the number of lines. A client is the last 64 of its requests, counters, up to 32 and 64 hashes of
//! different paths, 8 rows for the model and 5 examples; at most 100,000 clients are kept, those of which nothing is
//! suspected and that were not seen for longest being forgotten first. Words: 50,000 candidates with 16 clients each, and a
//! megabyte of bits for those that the site's own paths have. The model is fitted to a reservoir sample of 50,000 rows.
//!
//! # Measured on real logs
//!
//! Public logs of other sites, of which nothing is part of this project; each was trained from alone, with `force_ai`.
//! Every result was read: no ordinary word of these sites is among the keywords, and no search engine among the bans.
//!
//! | log | format | lines that are requests | read | clients | bans | keywords |
//! |---|---|---|---|---|---|---|
//! | elastic-apache-2015 | combined | 10,000 | 9,999: one is cut within the agent | 1,753 | 1: a scanner | `wp-login.php` |
//! | honeynet-redhat-2004 | combined, binary | 38,487 | all | 9,269 | 307: worms, scanners, three users of open proxies | `winnt system32 msadc nsiislog.dll cgi-bin openwebmail vti_bin` |
//! | linkvenck-phpmyadmin-2019 | combined | 28,939 | all | 1,076 | 116: 94 guess phpMyAdmin's password, 18 scan for it and for web shells, 4 others probe | names of web shells: `phpstudy.php 1hou.php aotu.php ...` |
//! | ajitmp-django-2024 | combined | 3,313 | all | 415 | 12: phpunit, `.aws`, actuator | `cgi-bin luci geoserver druid boaform ...` |
//! | twiki-2004-common | common | 1,406 | all | 169 | 0 | |
//! | nasa-1995-common-4k | common, host names | 4,000 | all | 416 | 0 | |
//! | poufy-elb-2021 | combined | 9,245 | all | 99 | 0 | `diag_form gponform` |
//! | cphstud-wordpress-2022 | combined | 876 | all | 282 | 3: scanners; xmlrpc is tried 4 times by a client at most | |
//! | spider-nginx-json-2013 | JSON of nginx | 10,049 | all | 1: the proxy | 0 | |
//! | iis-w3c-waikolai-2009-2010 | W3C, 16,432 directives | 22,308 | all | 1,660 | 6: WordPress and Joomla scanners | |
//! | crowdsec-hub-tests, 105 files | 7 formats in 83 files | 1,084 | 1,074 | 87 | 1, and 5 at private addresses spared | `solr remote_agent.php` |
//!
//! What was not read of the last: five text lines of Envoy, whose client is only in a forwarding header; two lines of
//! CloudFront without `#Fields`; one line each of IIS as XML, of another JSON, and of the combined format within a file of
//! nginx-proxy-manager. The other 1,927 unread lines are no requests, but messages of firewalls, mail servers and kernels.
//!
//! # Measured speed
//!
//! A generated combined log of 1,000,000 lines (229 MB), one thread of a shared virtual machine, quiet: 1.95 s of CPU for
//! all of the training, of which 0.35 s are the model's; GoAccess takes 31 s for the same log. Memory is at most 26 MB,
//! and 25 MB for a tenth of the log. `cargo xtask bench` measures parsing and features apart.
//!
mod bans;
mod bloom;
mod clients;
mod crawlers;
mod error;
mod evaluate;
mod keywords;
mod model;
mod options;
mod own_site;
mod progress;
pub mod report;
mod routes;
mod sample;
mod sources;
pub mod statistics;
mod traffic;
mod training;
mod whitelist;

pub use bans::{BanEvidence, BanRule, SparedClient, TrainedBan};
pub use error::TrainingError;
pub use evaluate::{HeldOut, HitClient};
pub use keywords::LearnedKeyword;
pub use model::{HISTOGRAM_BINS, ModelReport, StrangeClient};
pub use options::TrainingOptions;
pub use progress::{Progress, ProgressUpdate};
pub use report::{Applied, TrainingReport};
pub use routes::{RoutesError, parse_routes, read_routes};
pub use sources::{
    FormatCount, LogLine, LogSource, ReadSummary, SourceError, SourceProblem, Sources, Unparsed,
    UnparsedSample,
};
pub use traffic::{Traffic, TrafficSpan};
pub use training::Training;
