//! Which host is the site's own, so that its broken links are not held against its visitors.

use std::collections::HashMap;

use crate::bloom::TextSet;

/// Learns the site's own hosts from referers.
///
/// A log seldom says what the site is called. But a host that refers to many pages which this site has is this site: a
/// search engine's own pages (`/search`, `/url`) are not among those that this log shows.
pub(crate) struct OwnSite {
    answered: TextSet,
    hosts: HashMap<Box<[u8]>, Host>,
}

#[derive(Default)]
struct Host {
    referers: u32,
    of_this_site: u32,
}

/// Hosts that are remembered; those that come later are not looked at.
const MAX_HOSTS: usize = 1024;
const MAX_HOST_LENGTH: usize = 255;

impl OwnSite {
    pub(crate) fn new() -> Self {
        Self { answered: TextSet::new(), hosts: HashMap::new() }
    }

    /// Takes note that the site answered `target`, to which `referer` had led.
    pub(crate) fn answered(&mut self, target: &[u8], referer: Option<&[u8]>) {
        self.answered.insert(path_of(target));
        let Some((host, path)) = referer.and_then(split) else { return };
        // Every site has these.
        if path.len() <= 1 || host.len() > MAX_HOST_LENGTH {
            return;
        }
        let is_of_this_site = self.answered.contains(path_of(path));
        if !self.hosts.contains_key(host) {
            if self.hosts.len() >= MAX_HOSTS {
                return;
            }
            self.hosts.insert(host.into(), Host::default());
        }
        let Some(host) = self.hosts.get_mut(host) else { return };
        host.referers = host.referers.saturating_add(1);
        host.of_this_site = host.of_this_site.saturating_add(u32::from(is_of_this_site));
    }

    /// Whether a page of this site led here.
    pub(crate) fn is_own(&self, referer: &[u8]) -> bool {
        split(referer).and_then(|(host, _)| self.hosts.get(host)).is_some_and(|host| {
            host.of_this_site >= 5 && u64::from(host.of_this_site) * 2 >= u64::from(host.referers)
        })
    }
}

fn path_of(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
    target.get(..end).unwrap_or(target)
}

/// Host, with its port, and path of a URL.
fn split(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = url.strip_prefix(b"http://").or_else(|| url.strip_prefix(b"https://"))?;
    let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    rest.split_at_checked(end).filter(|(host, _)| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_pages_that_the_site_has_is_its_own() {
        let mut site = OwnSite::new();
        for number in 0..20 {
            let page = format!("/articles/{number}");
            site.answered(page.as_bytes(), Some(b"https://search.example/search?q=x"));
            site.answered(b"/style.css", Some(format!("https://shop.example{page}?a").as_bytes()));
            site.answered(b"/", Some(b"https://spam.example/"));
        }
        assert!(site.is_own(b"https://shop.example/anything"));
        assert!(!site.is_own(b"https://search.example/search"));
        assert!(!site.is_own(b"https://spam.example/"));
        assert!(!site.is_own(b"-"));
    }
}
