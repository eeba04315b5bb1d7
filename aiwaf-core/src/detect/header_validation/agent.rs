//! What a user agent says about who sends it.

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::{Anchored, Input, dfa};

use crate::state::TextMemory;

use super::words::{ATTACK_TOOLS, CRAWLERS, PREFIXES, TOLERATED_BOTS, TOOLS};

/// Shorter agents are made up: the shortest real browser's has some forty bytes.
const MIN_LENGTH: usize = 10;

/// Longer agents are no browser's, and are not searched beyond this.
const MAX_LENGTH: usize = 500;

/// Tells people, tolerated machines and tools apart, in one pass over the agent: linear time, no allocation.
///
/// Nobody can verify an agent: whoever copies that of a browser or of a search engine passes. What is caught is the
/// large number of tools that keep their own, or that lie badly.
pub(super) struct AgentJudge {
    /// Agents that nothing speaks against: nearly all requests come with one of few.
    unremarkable: TextMemory,
    words: dfa::DFA,
    /// In the order of the automaton's patterns.
    meanings: Box<[(Meaning, Box<str>)]>,
}

/// What an agent turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement<'j> {
    /// Nothing speaks against it.
    Unremarkable,
    /// The operator lets this one in, whatever its other headers are.
    Allowed,
    /// It holds a word, at these bytes, that gives away a tool.
    Tool { word: &'j str, start: usize, end: usize },
    /// Fewer bytes than any browser's.
    TooShort,
    /// More bytes than any browser's.
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Nobody has a right to attack, so nothing excuses it.
    AttackTool,
    /// A word of the operator's.
    Suspicious,
    /// A library or command that programs use for requests.
    Tool,
    /// What a machine that reads pages calls itself; a tolerated bot's name excuses it.
    Crawler,
    /// A search engine, a link preview or a monitor that sites want.
    ToleratedBot,
    /// A name of the operator's.
    Allowed,
}

impl AgentJudge {
    /// Knows the built-in words and those of the operator.
    ///
    /// # Errors
    /// If the operator's words are so many that the automaton's states can't be numbered.
    pub(super) fn new(suspicious: &[String], allowed: &[String]) -> Result<Self, aho_corasick::BuildError> {
        let built_in = [
            (Meaning::AttackTool, ATTACK_TOOLS),
            (Meaning::Tool, TOOLS),
            (Meaning::Crawler, CRAWLERS),
            (Meaning::ToleratedBot, TOLERATED_BOTS),
        ]
        .into_iter()
        .flat_map(|(meaning, words)| words.iter().map(move |word| (meaning, *word)));
        let own = suspicious
            .iter()
            .map(|word| (Meaning::Suspicious, word.trim()))
            .chain(allowed.iter().map(|name| (Meaning::Allowed, name.trim())))
            // An empty word would stand in every agent.
            .filter(|(_, word)| !word.is_empty());
        let meanings: Box<[(Meaning, Box<str>)]> =
            built_in.chain(own).map(|(meaning, word)| (meaning, word.to_ascii_lowercase().into())).collect();
        let words = dfa::DFA::builder()
            .ascii_case_insensitive(true)
            .build(meanings.iter().map(|(_, word)| word.as_bytes()))?;
        Ok(Self { unremarkable: TextMemory::new(), words, meanings })
    }

    /// Judges `agent`, of which surrounding blanks are cut already.
    ///
    /// Attack tools lose always; then an allowed name wins; then tools lose; then words of crawlers lose unless the
    /// agent is that of a tolerated bot; then the length counts.
    pub(super) fn judge(&self, agent: &[u8]) -> Judgement<'_> {
        if agent.len() > MAX_LENGTH {
            // Too long to be worth remembering.
            return self.read(agent);
        }
        if self.unremarkable.knows(agent) {
            return Judgement::Unremarkable;
        }
        let judgement = self.read(agent);
        if judgement == Judgement::Unremarkable {
            self.unremarkable.note(agent);
        }
        judgement
    }

    fn read(&self, agent: &[u8]) -> Judgement<'_> {
        let searched = agent.get(..MAX_LENGTH).unwrap_or(agent);
        let mut tool = None;
        let mut crawler = None;
        let mut tolerated = false;
        let mut allowed = false;
        let input = Input::new(searched).anchored(Anchored::No);
        let mut state = OverlappingState::start();
        // The search fails only for an anchored input, and this one is not.
        while self.words.try_find_overlapping(&input, &mut state).is_ok() {
            let Some(found) = state.get_match() else { break };
            let Some((meaning, word)) = self.meanings.get(found.pattern().as_usize()) else { continue };
            let (start, end) = (found.start(), found.end());
            let place = Place { agent: searched, start, end };
            let hit = Judgement::Tool { word, start, end };
            match meaning {
                Meaning::AttackTool if place.is_word() || word.len() > LONGEST_AMBIGUOUS => return hit,
                Meaning::Suspicious => _ = tool.get_or_insert(hit),
                Meaning::Tool if place.is_tool(word) => _ = tool.get_or_insert(hit),
                Meaning::Crawler if place.ends_word() && !place.is_device() => _ = crawler.get_or_insert(hit),
                Meaning::ToleratedBot => tolerated |= place.is_product() || place.is_compatible(),
                Meaning::Allowed => allowed |= place.is_product(),
                Meaning::AttackTool | Meaning::Tool | Meaning::Crawler => {}
            }
        }
        if allowed {
            return Judgement::Allowed;
        }
        if let Some(hit) = tool.or_else(|| bare_mozilla(agent)) {
            return hit;
        }
        if tolerated {
            return Judgement::Unremarkable;
        }
        match crawler {
            Some(hit) => hit,
            None if agent.len() < MIN_LENGTH => Judgement::TooShort,
            None if agent.len() > MAX_LENGTH => Judgement::TooLong,
            None => Judgement::Unremarkable,
        }
    }
}

/// `Mozilla/4.0` with nothing behind it, as old libraries and scanners send it.
fn bare_mozilla(agent: &[u8]) -> Option<Judgement<'static>> {
    const WORD: &str = "mozilla/4.0";
    let start = agent.len().checked_sub(WORD.len())?;
    agent
        .get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(WORD.as_bytes()))
        .then_some(Judgement::Tool { word: WORD, start, end: agent.len() })
}

/// Where in an agent a word stands.
struct Place<'a> {
    agent: &'a [u8],
    start: usize,
    end: usize,
}

impl Place<'_> {
    /// No letter or digit in front: `python` in `Python-urllib`, not `nmap` in `granmap`.
    fn begins_word(&self) -> bool {
        self.before().last().is_none_or(|byte| !byte.is_ascii_alphanumeric())
    }

    /// No letter behind: `python` in `python3.11`, not `java` in `JavaFX`, which draws pages for people.
    fn ends_word(&self) -> bool {
        self.behind().first().is_none_or(|byte| !byte.is_ascii_alphabetic())
    }

    fn is_word(&self) -> bool {
        self.begins_word() && self.ends_word()
    }

    /// Whether `word` stands for the tool of that name: as a word of its own, or as its beginning where other words
    /// are stuck to it. Lynx, which people use, names a libwww that is not the one of scripts.
    fn is_tool(&self, word: &str) -> bool {
        let is_lynx = || {
            word == "libwww" && self.behind().get(..3).is_some_and(|next| next.eq_ignore_ascii_case(b"-fm"))
        };
        self.begins_word() && (self.ends_word() || PREFIXES.contains(&word)) && !is_lynx()
    }

    /// Whether it is the end of a device's name: Cubot makes phones.
    fn is_device(&self) -> bool {
        let before = self.before();
        before.len().checked_sub(2).and_then(|from| before.get(from..)).is_some_and(|two| {
            two.eq_ignore_ascii_case(b"cu")
                && before
                    .len()
                    .checked_sub(3)
                    .and_then(|at| before.get(at))
                    .is_none_or(|byte| !byte.is_ascii_alphanumeric())
        })
    }

    /// Whether the word names the sender as RFC 9110 wants it: as the first product (`Googlebot-Image/1.0`), or, in an
    /// agent that begins as a browser's, as a part of a comment (`(compatible; Googlebot/2.1; ...)`) or as a product
    /// with its version. So `sqlmap googlebot` and `x (like Googlebot)` are not Google's.
    fn is_product(&self) -> bool {
        if self.behind().first().is_some_and(u8::is_ascii_alphanumeric) {
            return false;
        }
        let before = self.before();
        if before.is_empty() {
            return true;
        }
        if !self.agent.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"mozilla/")) {
            return false;
        }
        match before.iter().rposition(|byte| *byte != b' ' && *byte != b'+') {
            Some(at) if matches!(before.get(at), Some(b'(' | b';')) => true,
            Some(at) => at + 1 < before.len() && self.behind().first() == Some(&b'/'),
            None => false,
        }
    }

    /// Whether it begins a comment of any agent, in the form that search engines use when they imitate old phones
    /// (`DoCoMo/2.0 N905i (compatible; Googlebot-Mobile/2.1; ...)`).
    fn is_compatible(&self) -> bool {
        const START: &[u8] = b"(compatible; ";
        let before = self.before();
        self.behind().first().is_none_or(|byte| !byte.is_ascii_alphanumeric())
            && before
                .len()
                .checked_sub(START.len())
                .and_then(|from| before.get(from..))
                .is_some_and(|start| start.eq_ignore_ascii_case(START))
    }

    fn before(&self) -> &[u8] {
        self.agent.get(..self.start).unwrap_or_default()
    }

    fn behind(&self) -> &[u8] {
        self.agent.get(self.end..).unwrap_or_default()
    }
}

/// Attack tools with a longer name are found inside of words, too; shorter names might be a part of something else.
const LONGEST_AMBIGUOUS: usize = 5;

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// One automaton for all tests, because building it takes longer than they do.
    fn judge() -> &'static AgentJudge {
        static JUDGE: LazyLock<AgentJudge> = LazyLock::new(|| {
            AgentJudge::new(&["Evil Words".into(), " ".into()], &["OurMonitor".into(), String::new()])
                .unwrap()
        });
        &JUDGE
    }

    fn word(agent: &str) -> Option<String> {
        match judge().judge(agent.as_bytes()) {
            Judgement::Tool { word, start, end } => {
                assert!(agent[start..end].eq_ignore_ascii_case(word), "{agent}");
                Some(word.to_owned())
            }
            _ => None,
        }
    }

    #[test]
    fn tools_and_crawlers_give_themselves_away() {
        for (agent, expected) in [
            ("curl/8.4.0", "curl"),
            ("Wget/1.21.3 (linux-gnu)", "wget"),
            ("python-requests/2.31.0", "python"),
            ("Python/3.11 aiohttp/3.9.1", "python"),
            ("Java/17.0.2", "java"),
            ("Mozilla/4.0 (Windows 10) Java1.8.0_231", "java"),
            ("node-fetch/1.0 (+https://github.com/bitinn/node-fetch)", "node"),
            ("Go-http-client/1.1", "go-http"),
            ("axios/1.6.2", "axios"),
            ("okhttp/4.12.0", "okhttp"),
            ("libwww-perl/6.67", "libwww"),
            ("lwp-trivial/1.41", "lwp"),
            ("WWW-Mechanize/1.88", "mechanize"),
            ("PostmanRuntime/7.36.0", "postman"),
            ("insomnia/2023.5.8", "insomnia"),
            ("HTTPie/3.2.2", "httpie"),
            ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/119.0.0.0 Safari/537.36", "headlesschrome"),
            ("Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", "bot"),
            ("Mozilla/5.0 (compatible; Bytespider; https://zhanzhang.toutiao.com/)", "spider"),
            ("My web crawler 1.0", "crawler"),
            ("Mozilla/4.0", "mozilla/4.0"),
            ("Opera Mozilla/4.0", "mozilla/4.0"),
            ("Something with evil words in it", "evil words"),
            ("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "nmap"),
            ("Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:Port Check)", "nikto"),
            ("xxsqlmapxx 1.0 for you", "sqlmap"),
            ("Hydra 9.5 is here", "hydra"),
        ] {
            assert_eq!(word(agent).as_deref(), Some(expected), "{agent}");
        }
    }

    #[test]
    fn people_are_left_alone() {
        for agent in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 \
             Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/17.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Mozilla/5.0 (Linux; Android 7.0; CUBOT_X18 Build/NRD90M) AppleWebKit/537.36 Chrome/68.0 Mobile \
             Safari/537.36",
            "Mozilla/5.0 (Linux; Android 11; Cubot Note 20) AppleWebKit/537.36 Chrome/90.0 Mobile Safari/537.36",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/538.19 (KHTML, like Gecko) JavaFX/8.0 Safari/538.19",
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
            "Mozilla/5.0 (Linux; Android 10; Bottleneck-Nodestar) AppleWebKit/537.36 Chrome/90 Safari/537.36",
            "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1; U; en) Presto/2.8.119 Version/11.10",
            "Lynx/2.8.7rel.2 libwww-FM/2.14 SSL-MM/1.4.1",
        ] {
            assert_eq!(judge().judge(agent.as_bytes()), Judgement::Unremarkable, "{agent}");
        }
    }

    #[test]
    fn tolerated_bots_pass_as_they_write_themselves() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; \
             +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
            "Googlebot-Image/1.0",
            "DoCoMo/2.0 N905i(c100;TB;W24H16) (compatible; Googlebot-Mobile/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
            "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
            "TelegramBot (like TwitterBot)",
            "Twitterbot/1.0",
            "WhatsApp",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
            "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
            "Mozilla/5.0 (X11; Linux x86_64) Chrome/61.0 Safari/537.36 PingdomPageSpeed/1.0 (pingbot/2.0; \
             +http://www.pingdom.com/)",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        ] {
            assert_eq!(judge().judge(agent.as_bytes()), Judgement::Unremarkable, "{agent}");
        }
    }

    #[test]
    fn original_defect_20_a_search_engines_name_does_not_whitewash() {
        for (agent, expected) in [
            ("sqlmap googlebot", "sqlmap"),
            ("sqlmap/1.7#stable (Googlebot/2.1)", "sqlmap"),
            ("Googlebot/2.1 sqlmap/1.7", "sqlmap"),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; sqlmap)", "sqlmap"),
            ("nikto", "nikto"),
            ("curl/8.4.0 (compatible; Googlebot/2.1)", "curl"),
            ("Googlebot/2.1 python-requests/2.31", "python"),
            ("EvilBot/1.0 (like Googlebot)", "bot"),
            ("Mozilla/5.0 (compatible; EvilBot/1.0) googlebot", "bot"),
            ("Mozilla/5.0 (compatible; NotGooglebot/1.0)", "bot"),
            ("OurMonitor/1.0 nuclei", "nuclei"),
        ] {
            assert_eq!(word(agent).as_deref(), Some(expected), "{agent}");
        }
    }

    #[test]
    fn the_operators_names_pass() {
        for agent in ["OurMonitor", "ourmonitor/2.0 python-requests/2.31", "Mozilla/5.0 (OurMonitor; curl)"] {
            assert_eq!(judge().judge(agent.as_bytes()), Judgement::Allowed, "{agent}");
        }
        assert_eq!(word("curl/8.4.0 OurMonitor").as_deref(), Some("curl"));
    }

    #[test]
    fn lengths_are_bounded() {
        let judge = judge();
        assert_eq!(judge.judge(b"Mozilla/5"), Judgement::TooShort);
        assert_eq!(judge.judge(b"Mozilla/5."), Judgement::Unremarkable);
        assert_eq!(judge.judge(&[b'x'; 500]), Judgement::Unremarkable);
        assert_eq!(judge.judge(&[b'x'; 501]), Judgement::TooLong);
        assert_eq!(judge.judge("sqlma".repeat(100_000).as_bytes()), Judgement::TooLong);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged(agent in proptest::collection::vec(proptest::num::u8::ANY, 0..700)) {
            if let Judgement::Tool { start, end, .. } = judge().judge(&agent) {
                proptest::prop_assert!(start < end && end <= agent.len());
            }
        }

        #[test]
        fn attack_tools_lose_in_any_company(before in "[ -~]{0,60}", behind in "[ -~]{0,60}", upper: bool) {
            let name = if upper { "SQLMAP" } else { "sqlmap" };
            let agent = format!("{before}{name}{behind}");
            let is_tool = matches!(judge().judge(agent.as_bytes()), Judgement::Tool { .. });
            proptest::prop_assert!(is_tool, "{}", agent);
        }
    }
}
