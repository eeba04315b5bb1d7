//! Who is banned for what a log shows, and who is spared.

use std::net::IpAddr;

use aiwaf_core::{AnomalyEvidence, AnomalyModel, ClientKey, display_network};
use ipnet::IpNet;
use serde::Serialize;

use crate::clients::{Client, Clients, Suspect};
use crate::whitelist::Whitelist;

/// A client that is to be banned, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainedBan {
    /// The address, or the network of an IPv6 client.
    pub client: String,
    /// Why, in a line.
    pub reason: String,
    /// By which rule.
    pub rule: BanRule,
    /// What it did.
    pub evidence: BanEvidence,
    /// The network that is banned.
    #[serde(skip)]
    pub network: IpNet,
}

/// A client that a rule speaks against and that is not banned all the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SparedClient {
    /// The address, or the name that the log gives it.
    pub client: String,
    /// What speaks against it.
    pub reason: String,
    /// Why it is spared.
    pub because: String,
}

/// Why a client is banned. Each rule asks for several different requests, never for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BanRule {
    /// Five different paths that only scanners ask for, in vain: within the window of `ai_anomaly`, or in the whole log if
    /// they are a tenth of what the client asked for (behind one address there may be many people).
    Scanning,
    /// Thirty different unknown paths that were not found: three quarters of all requests in the window, or half of all
    /// in the log. Not for search engines, who come back for pages that are gone.
    NotFoundFlood,
    /// Two blocked keywords in each request, in five requests or more.
    Keywords,
    /// Twenty failed log-ins, three quarters of all requests.
    LoginGuessing,
    /// Behaviour that is an indicator, and a request then that the model finds anomalous.
    Anomaly,
}

/// What a client did.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct BanEvidence {
    /// Its requests in the log.
    pub requests: u64,
    /// Of these, answered 4xx or 5xx.
    pub refused: u64,
    /// Of these, not found on unknown paths.
    pub not_found: u64,
    /// Different paths that only scanners ask for, at most 32.
    pub scanning_paths: u64,
    /// Different other unknown paths, at most 64.
    pub unknown_paths: u64,
    /// Requests in vain that hold blocked keywords.
    pub with_keywords: u64,
    /// Failed log-ins.
    pub failed_logins: u64,
    /// The highest score that the model gave, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// When it was seen first.
    pub first: String,
    /// When it was seen last.
    pub last: String,
    /// What it asked for, with the status of the answer: `404 /.env`.
    pub examples: Vec<String>,
}

/// Who is banned and who is spared.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) bans: Vec<TrainedBan>,
    pub(crate) spared: Vec<SparedClient>,
}

/// Judges all clients; those against whom the most speaks come first.
pub(crate) fn judge(
    clients: &Clients,
    model: Option<&dyn AnomalyModel>,
    whitelist: &Whitelist,
    ipv6_prefix: u8,
    ban_private: bool,
) -> Judgement {
    let mut judgement = Judgement::default();
    for (key, client) in clients.sorted() {
        let Some(suspect) = &client.suspect else { continue };
        let Some((rule, reason, score)) = verdict(client, suspect, model) else { continue };
        let network = key.network(ipv6_prefix);
        let shown = client.name.as_deref().map_or_else(|| display_network(&network), str::to_owned);
        match excuse(client, rule, &network, whitelist, ban_private) {
            Some(because) => {
                judgement.spared.push(SparedClient { client: shown, reason, because: because.to_owned() });
            }
            None => judgement.bans.push(TrainedBan {
                client: shown,
                reason,
                rule,
                evidence: evidence(client, suspect, score),
                network,
            }),
        }
    }
    let weight = |ban: &TrainedBan| {
        (ban.rule, std::cmp::Reverse((ban.evidence.scanning_paths, ban.evidence.not_found)))
    };
    judgement
        .bans
        .sort_by(|one, other| weight(one).cmp(&weight(other)).then_with(|| one.client.cmp(&other.client)));
    judgement
}

/// The rule that speaks against a client, what it says, and the model's score.
fn verdict(
    client: &Client,
    suspect: &Suspect,
    model: Option<&dyn AnomalyModel>,
) -> Option<(BanRule, String, Option<f64>)> {
    let requests = client.requests;
    let (scanning, probed) = (suspect.scanning.len(), suspect.probed.len());
    let proof = suspect.proof.as_ref();
    let at_once = |holds: fn(&AnomalyEvidence) -> bool| proof.is_some_and(holds);
    if at_once(|evidence| evidence.scanning >= 5)
        || (scanning >= 5 && suspect.keyword_misses.max(scanning as u64) * 10 >= requests)
    {
        let reason =
            format!("Scanning: asked in vain for {scanning} different paths that only scanners ask for");
        return Some((BanRule::Scanning, reason, None));
    }
    let is_flood =
        at_once(|evidence| evidence.not_found >= 30) || (probed >= 30 && suspect.misses * 2 >= requests);
    if is_flood {
        let reason = format!("Excessive 404s: {} of {requests} requests not found", suspect.misses);
        return Some((BanRule::NotFoundFlood, reason, None));
    }
    if at_once(|evidence| evidence.keyword_hits >= 2.0) {
        let reason = format!("Keywords: {} requests in vain hold blocked keywords", suspect.keyword_misses);
        return Some((BanRule::Keywords, reason, None));
    }
    if suspect.failed_logins >= 20 && suspect.failed_logins * 4 >= requests * 3 {
        let reason = format!("Guessing passwords: {} failed log-ins", suspect.failed_logins);
        return Some((BanRule::LoginGuessing, reason, None));
    }
    let model = model?;
    // The model is asked as in serving: once for each request at which behaviour was an indicator.
    let scores =
        suspect.indicators.iter().map(|indicated| (model.score(&finite(&indicated.features)), indicated));
    let (score, indicated) = scores.max_by(|one, other| one.0.total_cmp(&other.0))?;
    if score < model.threshold() {
        return None;
    }
    let what = indications(&indicated.evidence);
    let reason =
        format!("Anomalous behaviour: score {score:.2}; {what} in {} requests", indicated.evidence.total);
    Some((BanRule::Anomaly, reason, Some(score)))
}

/// What of the behaviour is worth saying.
fn indications(evidence: &AnomalyEvidence) -> String {
    let AnomalyEvidence { scanning, not_found, keyword_hits, burst, .. } = *evidence;
    let mut parts = Vec::new();
    if scanning > 0 {
        parts.push(format!("{scanning} paths that only scanners ask for"));
    }
    if not_found > 0 {
        parts.push(format!("{not_found} unknown paths"));
    }
    if keyword_hits > 0.0 {
        parts.push(format!("{keyword_hits:.1} keywords a request"));
    }
    if burst >= 10.0 {
        parts.push(format!("{burst:.0} requests in ten seconds"));
    }
    parts.join(", ")
}

/// A log without response times gives none to the model either.
fn finite<const N: usize>(features: &[f64; N]) -> [f64; N] {
    features.map(|value| if value.is_finite() { value } else { 0.0 })
}

/// Why a client is not banned although a rule speaks against it.
fn excuse(
    client: &Client,
    rule: BanRule,
    network: &IpNet,
    whitelist: &Whitelist,
    ban_private: bool,
) -> Option<&'static str> {
    if client.name.is_some() {
        return Some("the log has its name instead of its address");
    }
    if whitelist.contains(network) {
        return Some("it is whitelisted");
    }
    if matches!(rule, BanRule::NotFoundFlood | BanRule::Anomaly)
        && client.crawler.is_some()
        && !asked_for_secrets(client)
    {
        return Some("it says that it is a search engine, and asked for nothing that only scanners ask for");
    }
    let address = network.addr();
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return Some("its address is this machine or nobody's: the log was written behind a proxy");
    }
    if !ban_private && is_private(address) {
        return Some("its address is private and may be a proxy's, behind which everybody is");
    }
    None
}

/// A keyword alone is no sign with a search engine: it follows what others link to, an `x.php` of years ago too.
fn asked_for_secrets(client: &Client) -> bool {
    client.suspect.as_ref().is_some_and(|suspect| suspect.scanning.len() > 0)
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn evidence(client: &Client, suspect: &Suspect, score: Option<f64>) -> BanEvidence {
    BanEvidence {
        requests: client.requests,
        refused: suspect.refused,
        not_found: suspect.misses,
        scanning_paths: suspect.scanning.len() as u64,
        unknown_paths: suspect.probed.len() as u64,
        with_keywords: suspect.keyword_misses,
        failed_logins: suspect.failed_logins,
        score,
        first: client.first.to_string(),
        last: client.last.to_string(),
        examples: suspect
            .examples
            .iter()
            .map(|example| format!("{} {}", example.status, example.target))
            .collect(),
    }
}

/// How a client is called in reports.
pub(crate) fn name_of(key: ClientKey, client: Option<&Client>, ipv6_prefix: u8) -> String {
    match client.and_then(|client| client.name.as_deref()) {
        Some(name) => name.to_owned(),
        None => display_network(&key.network(ipv6_prefix)),
    }
}
