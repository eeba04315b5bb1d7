//! "Did you mean": the closest of some known names.

/// The name that differs least from `wanted`, case aside, if it is close enough to be a slip of the finger.
pub fn closest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = wanted.chars().take(64).flat_map(char::to_lowercase).collect();
    names
        .into_iter()
        .map(|name| (edit_distance(&wanted, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, by rows.
fn edit_distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut diagonal = i;
        let mut left_cell = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left_cell);
        for (r, &above) in right.iter().zip(row.iter().skip(1)) {
            let cell = (diagonal + usize::from(l != r)).min(above + 1).min(left_cell + 1);
            next.push(cell);
            diagonal = above;
            left_cell = cell;
        }
        row = next;
    }
    row.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let names = ["rate_limit", "honeypot", "logging"];
        assert_eq!(closest("ratelimit", names), Some("rate_limit"));
        assert_eq!(closest("Honeypott", names), Some("honeypot"));
        assert_eq!(closest("firewall", names), None);
        assert_eq!(closest("", names), None);
    }
}
