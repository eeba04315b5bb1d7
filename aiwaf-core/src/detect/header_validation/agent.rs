//! Judgement of user agents: browsers, honest programs, libraries, and what is blocked.

use std::sync::LazyLock;

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, Input};

use super::own_words::{Own, OwnWords};
use crate::bots::{BotClass, BotMatch, BotPolicy, BotSettings, LibraryRole, claims_browser, classify};
use crate::state::TextMemory;

/// Browsers send at least this many bytes; a shorter agent that begins as theirs is made up.
const MIN_BROWSER_LENGTH: usize = 10;

/// Longer agents are not those of browsers, and are not searched beyond this.
const MAX_LENGTH: usize = 500;

/// Tells browsers, honest programs, libraries and scanners apart by the user agent.
///
/// A user agent cannot be verified: a copy of a browser's passes. What is caught is the large number of tools that keep
/// their own, or that lie badly.
///
/// Cost: a known agent one hash and one load; a new one three linear passes over at most 500 bytes, no allocation.
pub(super) struct AgentJudge {
    known: TextMemory,
    bots: BotSettings,
    own: Option<OwnWords>,
}

/// The kind of client that a user agent describes, from the mildest to the strictest treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Judgement {
    /// There is no user agent.
    Missing,
    /// A setting lets this one pass, whatever its other headers are.
    Allowed,
    /// A program that says what it is: a bot, a probe, an app. A browser's headers are not expected of it.
    Program,
    /// A bare HTTP library or automation tool: allowed except where it fetches pages.
    Library,
    /// It claims to be a browser.
    Browser,
    /// It claims to be a browser that speaks HTTP/1.1 at least.
    ModernBrowser,
    /// It claims to be a browser from before HTTP/2.
    OldBrowser,
    /// It is blocked; [`AgentJudge::refusal`] says why.
    Refused,
}

/// Why an agent is blocked, and the bytes that gave it away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Judgement {
    const ALL: [Self; 8] = [
        Self::Missing,
        Self::Allowed,
        Self::Program,
        Self::Library,
        Self::Browser,
        Self::ModernBrowser,
        Self::OldBrowser,
        Self::Refused,
    ];

    /// Reports whether the headers of a browser are expected: also of clients that do not say what they are.
    pub(super) fn expects_browser_headers(self) -> bool {
        matches!(self, Self::Missing | Self::Browser | Self::ModernBrowser | Self::OldBrowser)
    }
}

impl AgentJudge {
    /// Reads the words of the operator.
    ///
    /// # Errors
    /// Fails if they are too many for an automaton.
    pub(super) fn new(suspicious: &[String], allowed: &[String]) -> Result<Self, aho_corasick::BuildError> {
        let own = OwnWords::new(suspicious, allowed)?;
        Ok(Self { known: TextMemory::new(), bots: BotSettings::default(), own })
    }

    /// Sets what each class of bots may do.
    pub(super) fn with_bots(self, bots: BotSettings) -> Self {
        Self { known: TextMemory::new(), bots, ..self }
    }

    /// Judges `agent`, which is trimmed and not empty.
    pub(super) fn judge(&self, agent: &[u8]) -> Judgement {
        if agent.len() > MAX_LENGTH {
            // Not worth a place in the memory.
            return self.read(agent);
        }
        if let Some(judgement) = self.known.get(agent).and_then(|code| Judgement::ALL.get(usize::from(code)))
        {
            return *judgement;
        }
        let judgement = self.read(agent);
        self.known.insert(agent, judgement as u8);
        judgement
    }

    /// Returns why `agent` is blocked, if it is.
    pub(super) fn refusal(&self, agent: &[u8]) -> Option<Refusal> {
        self.read_in_full(agent).err()
    }

    /// Returns what gives `agent` away as a bare library, for use where those are blocked.
    pub(super) fn library(agent: &[u8]) -> Option<Refusal> {
        classify(agent).map(|bot| Refusal::pattern(bot.name, bot.start, bot.end))
    }

    fn read(&self, agent: &[u8]) -> Judgement {
        self.read_in_full(agent).unwrap_or(Judgement::Refused)
    }

    /// Scanners lose first; then an allowed name wins; then the operator's words and blocked classes lose; then the
    /// form of the agent counts.
    fn read_in_full(&self, agent: &[u8]) -> Result<Judgement, Refusal> {
        let searched = agent.get(..MAX_LENGTH).unwrap_or(agent);
        let bot = classify(searched);
        let policy = bot.map(|bot| self.bots.policy(bot.class));
        if let Some(bot) =
            bot.filter(|bot| bot.class == BotClass::Scanner && policy == Some(BotPolicy::Block))
        {
            return Err(Refusal::pattern(bot.name, bot.start, bot.end));
        }
        let own = self.own.as_ref().map_or(Own::Nothing, |own| own.find(searched));
        if let Own::Suspicious(refusal) = own {
            return Err(refusal);
        }
        if own == Own::Allowed || policy == Some(BotPolicy::Allow) {
            return Ok(Judgement::Allowed);
        }
        if agent.len() > MAX_LENGTH {
            return Err(Refusal { what: "Too long".to_owned(), start: 0, end: agent.len() });
        }
        if let Some(bot) = bot {
            return self.judge_bot(&bot, agent);
        }
        judge_unknown(agent)
    }

    fn judge_bot(&self, bot: &BotMatch, agent: &[u8]) -> Result<Judgement, Refusal> {
        if self.bots.policy(bot.class) == BotPolicy::Block {
            let what = format!("Bot class {}: {}", bot.class, bot.name);
            return Err(Refusal { what, start: bot.start, end: bot.end });
        }
        let is_client = match bot.role {
            LibraryRole::Client => true,
            // `Mozilla/5.0 (compatible; OurAudit/1.0; +https://audit.example/) HeadlessChrome/119.0` says what it is.
            LibraryRole::Browser => !Marks::of(agent).names_program,
            LibraryRole::Part => false,
        };
        Ok(if bot.class == BotClass::Library && is_client && !bot.is_app_runtime {
            Judgement::Library
        } else {
            Judgement::Program
        })
    }
}

/// Judges an agent that is not well known by its form.
fn judge_unknown(agent: &[u8]) -> Result<Judgement, Refusal> {
    if !agent.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()) {
        return Err(Refusal { what: "No letters".to_owned(), start: 0, end: agent.len() });
    }
    if !claims_browser(agent) {
        return Ok(Judgement::Program);
    }
    if agent.len() < MIN_BROWSER_LENGTH {
        return Err(Refusal { what: "Too short".to_owned(), start: 0, end: agent.len() });
    }
    if let Some(refusal) = bare_mozilla(agent) {
        return Err(refusal);
    }
    let marks = Marks::of(agent);
    Ok(if marks.names_program {
        Judgement::Program
    } else if marks.modern {
        Judgement::ModernBrowser
    } else if marks.mozilla_4 && !marks.trident_7 {
        Judgement::OldBrowser
    } else {
        Judgement::Browser
    })
}

/// `Mozilla/4.0` with nothing behind it and no comment, as old libraries and scanners send it. Some phones end in it.
fn bare_mozilla(agent: &[u8]) -> Option<Refusal> {
    const WORD: &str = "mozilla/4.0";
    let start = agent.len().checked_sub(WORD.len())?;
    agent
        .get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(WORD.as_bytes()) && !agent.contains(&b'('))
        .then(|| Refusal::pattern(WORD, start, agent.len()))
}

impl Refusal {
    pub(super) fn pattern(name: &str, start: usize, end: usize) -> Self {
        Self { what: format!("Pattern: {}", name.to_ascii_lowercase()), start, end }
    }
}

/// Words in an agent that tell browsers from programs, and browsers from each other.
#[derive(Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent observations, not states
struct Marks {
    /// An address for questions, or a name as programs give themselves: `FooBot`, `Foo-Crawler`, `(compatible; Foo/1.0)`.
    names_program: bool,
    modern: bool,
    mozilla_4: bool,
    /// Internet Explorer 11, which speaks HTTP/2 and calls itself Mozilla/4.0 where it imitates older versions.
    trident_7: bool,
}

/// What browsers say to be compatible with others behind this word; programs say their name.
const COMPATIBLE: &str = "compatible;";
const COMPATIBLE_BROWSERS: [&[u8]; 5] = [b"msie", b"konqueror", b"icab", b"omniweb", b"webtv"];

const MODERN: [&str; 4] = ["chrome/", "firefox/", "safari/", "edg/"];
const ADDRESSES: [&str; 2] = ["://", "@"];
/// Ends of names. `Cubot` makes phones, to which it does no harm to be taken for programs.
const KINDS: [&str; 9] =
    ["bot", "bots", "crawler", "spider", "scraper", "fetcher", "checker", "monitor", "validator"];

impl Marks {
    fn of(agent: &[u8]) -> Self {
        static WORDS: LazyLock<Option<NFA>> = LazyLock::new(|| {
            let all = MODERN
                .into_iter()
                .chain(ADDRESSES)
                .chain(["mozilla/4.0", "trident/7.", COMPATIBLE])
                .chain(KINDS);
            NFA::builder().ascii_case_insensitive(true).build(all).ok()
        });
        const MOZILLA: usize = MODERN.len() + ADDRESSES.len();
        let mut marks = Self::default();
        let Some(words) = WORDS.as_ref() else { return marks };
        let input = Input::new(agent).anchored(Anchored::No);
        let mut state = OverlappingState::start();
        // The search fails only for an anchored input, and this one is not.
        while words.try_find_overlapping(&input, &mut state).is_ok() {
            let Some(found) = state.get_match() else { break };
            match found.pattern().as_usize() {
                pattern if pattern < MODERN.len() => marks.modern = true,
                pattern if pattern < MOZILLA => marks.names_program = true,
                MOZILLA => marks.mozilla_4 = true,
                pattern if pattern == MOZILLA + 1 => marks.trident_7 = true,
                pattern if pattern == MOZILLA + 2 => {
                    let name = agent.get(found.end()..).unwrap_or_default().trim_ascii_start();
                    marks.names_program |= name.contains(&b'/') && !is_any(name, &COMPATIBLE_BROWSERS);
                }
                _ => {
                    marks.names_program |=
                        agent.get(found.end()).is_none_or(|behind| !behind.is_ascii_alphabetic());
                }
            }
        }
        marks
    }
}

/// Reports whether `text` begins with one of `words`, in any case.
fn is_any(text: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the operator's words.
    fn judge(agent: &str) -> Judgement {
        AgentJudge::new(&[], &[]).unwrap().judge(agent.as_bytes())
    }

    fn own_judge() -> AgentJudge {
        AgentJudge::new(&["Evil Words".into(), " ".into()], &["OurMonitor".into(), String::new()]).unwrap()
    }

    fn refusal(agent: &str) -> Option<String> {
        let judge = own_judge();
        let refusal = judge.refusal(agent.as_bytes())?;
        assert_eq!(judge.judge(agent.as_bytes()), Judgement::Refused, "{agent}");
        assert!(refusal.start < refusal.end && refusal.end <= agent.len(), "{agent}");
        Some(refusal.what)
    }

    #[test]
    fn browsers_are_told_by_age() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 \
                 Safari/537.36",
                Judgement::ModernBrowser,
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                Judgement::ModernBrowser,
            ),
            ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", Judgement::OldBrowser),
            ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0)", Judgement::Browser),
            ("Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko", Judgement::Browser),
            (
                "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1; U; en) Presto/2.8.119 Version/11.10",
                Judgement::Browser,
            ),
        ] {
            assert_eq!(judge(agent), expected, "{agent}");
        }
    }

    #[test]
    fn programs_that_name_themselves_are_honest() {
        for agent in [
            "node",
            "Dart",
            "MyApp/1",
            "x",
            "\u{4eac}\u{4e1c}",
            "okhttp/4.12.0",
            "Shop/12 CFNetwork/1474 Darwin/23.0.0",
            "kube-probe/1.29",
            "ELB-HealthChecker/2.0",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
            "Mozilla/5.0 (compatible; UnheardOf/1.0; +https://unheard.example/)",
            "Mozilla/5.0 (compatible; UnheardOfBot/1.0)",
            "Mozilla/5.0 (compatible; UnheardOf/1.0)",
            "Mozilla/5.0 (X11; compatible; OurAudit/1.0; +https://audit.example/) HeadlessChrome/119.0",
            "http.rb/5.1.1 (Mastodon/4.2.8; +https://social.example/)",
            "My web crawler 1.0",
            "MyShop/2.0 curl/8.5",
            "AppleTV6,2/11.1",
        ] {
            assert_eq!(judge(agent), Judgement::Program, "{agent}");
        }
    }

    #[test]
    fn bare_libraries_are_told_from_programs() {
        for agent in ["curl/8.4.0", "Wget/1.21.3 (linux-gnu)", "python-requests/2.31.0", "Go-http-client/1.1"]
        {
            assert_eq!(judge(agent), Judgement::Library, "{agent}");
        }
        assert_eq!(judge("Mozilla/5.0 (X11) HeadlessChrome/119.0 Safari/537.36"), Judgement::Library);
    }

    #[test]
    fn scanners_and_made_up_agents_are_refused() {
        for (agent, expected) in [
            ("sqlmap/1.7#stable (https://sqlmap.org)", "Pattern: sqlmap"),
            ("Mozilla/4.0", "Pattern: mozilla/4.0"),
            ("Opera/1 Mozilla/4.0", "Pattern: mozilla/4.0"),
            ("Something with evil words in it", "Pattern: evil words"),
            ("Mozilla", "Too short"),
            ("Mozilla/5", "Too short"),
            ("-", "No letters"),
            ("1.0'", "No letters"),
        ] {
            assert_eq!(refusal(agent).as_deref(), Some(expected), "{agent}");
        }
        assert_eq!(refusal("Mozilla/5."), None);
    }

    #[test]
    fn original_defect_20_a_search_engines_name_does_not_whitewash() {
        for agent in ["sqlmap googlebot", "nikto", "Googlebot/2.1 masscan/1.3", "OurMonitor/1.0 nuclei"] {
            assert!(refusal(agent).is_some(), "{agent}");
        }
        for agent in ["curl/8.4.0 (compatible; Googlebot/2.1)", "Googlebot/2.1 python-requests/2.31"] {
            assert_eq!(judge(agent), Judgement::Library, "{agent}");
        }
    }

    #[test]
    fn operators_names_pass() {
        let judge = own_judge();
        for agent in ["OurMonitor", "ourmonitor/2.0 python-requests/2.31", "Mozilla/5.0 (OurMonitor; curl)"] {
            assert_eq!(judge.judge(agent.as_bytes()), Judgement::Allowed, "{agent}");
        }
        assert_eq!(judge.judge(b"curl/8.4.0 OurMonitor"), Judgement::Library);
    }

    #[test]
    fn classes_follow_their_policy() {
        let bots = BotSettings {
            ai_crawler: BotPolicy::Block,
            library: BotPolicy::Allow,
            scanner: BotPolicy::Rules,
            ..BotSettings::default()
        };
        let judge = AgentJudge::new(&[], &[]).unwrap().with_bots(bots);
        let crawler = b"Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)";
        let refusal = judge.refusal(crawler).unwrap();
        assert_eq!(refusal.what, "Bot class ai_crawler: GPTBot");
        assert_eq!(&crawler[refusal.start..refusal.end], b"GPTBot");
        assert_eq!(judge.judge(b"curl/8.5"), Judgement::Allowed);
        assert_eq!(judge.judge(b"sqlmap/1.7"), Judgement::Program);
    }

    #[test]
    fn length_is_bounded() {
        let judge = own_judge();
        assert_eq!(judge.judge(&[b'x'; 500]), Judgement::Program);
        for agent in [vec![b'x'; 501], "sqlma".repeat(100_000).into_bytes()] {
            assert_eq!(judge.judge(&agent), Judgement::Refused);
            assert_eq!(judge.refusal(&agent).unwrap().what, "Too long");
        }
    }

    #[test]
    fn codes_are_those_of_the_table() {
        for (number, judgement) in Judgement::ALL.into_iter().enumerate() {
            assert_eq!(judgement as usize, number);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged_alike_again(agent in proptest::collection::vec(proptest::num::u8::ANY, 1..700)) {
            let judge = own_judge();
            let first = judge.judge(&agent);
            proptest::prop_assert_eq!(judge.judge(&agent), first);
            let refusal = judge.refusal(&agent);
            proptest::prop_assert_eq!(refusal.is_some(), first == Judgement::Refused);
            if let Some(refusal) = refusal {
                proptest::prop_assert!(refusal.start <= refusal.end && refusal.end <= agent.len());
            }
        }
    }
}
