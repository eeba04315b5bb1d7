//! IP addresses in bytes, spelled as `Display` of the standard library spells them (RFC 5952).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::escape::hex;

/// Longest text of an address: `xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:xxxx`.
const MAX_LENGTH: usize = 39;

/// Appends an address without the standard library's formatting, which costs several times as much.
pub(super) fn push(out: &mut Vec<u8>, address: IpAddr) {
    out.reserve(MAX_LENGTH);
    match address {
        IpAddr::V4(address) => push_v4(out, address),
        IpAddr::V6(address) => push_v6(out, address),
    }
}

fn push_v4(out: &mut Vec<u8>, address: Ipv4Addr) {
    // Stores of a fixed size, cut afterwards, are cheaper than one for each length.
    let mut text = [0; 16];
    let mut length = 0;
    for octet in address.octets() {
        let octet = u32::from(octet);
        let word =
            ((octet / 100) | ((octet / 10 % 10) << 8) | ((octet % 10) << 16)) + u32::from_le_bytes(*b"000.");
        let leading_zeros = usize::from(octet < 10) + usize::from(octet < 100);
        let digits = (word >> (8 * leading_zeros)).to_le_bytes();
        if let Some(place) = text.get_mut(length..length + 4) {
            place.copy_from_slice(&digits);
        }
        length += digits.len() - leading_zeros;
    }
    let start = out.len();
    out.extend_from_slice(&text);
    // Without the last dot.
    out.truncate(start + length - 1);
}

fn push_v6(out: &mut Vec<u8>, address: Ipv6Addr) {
    if let Some(mapped) = address.to_ipv4_mapped() {
        out.extend_from_slice(b"::ffff:");
        push_v4(out, mapped);
        return;
    }
    let segments = address.segments();
    let zeros = longest_zeros(&segments);
    for (index, &segment) in segments.iter().enumerate() {
        if zeros.contains(&index) {
            if index == zeros.start {
                out.extend_from_slice(b"::");
            }
            continue;
        }
        if index != 0 && index != zeros.end {
            out.push(b':');
        }
        push_hex(out, segment);
    }
}

/// The first of the longest runs of at least two zero segments; empty at 0 if there is none.
fn longest_zeros(segments: &[u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut run = 0..0;
    for (index, &segment) in segments.iter().enumerate() {
        if segment != 0 {
            continue;
        }
        let start = if run.end == index { run.start } else { index };
        run = start..index + 1;
        if run.len() > longest.len() {
            longest = run.clone();
        }
    }
    if longest.len() > 1 { longest } else { 0..0 }
}

/// Appends hexadecimal digits in lower case, without leading zeros.
fn push_hex(out: &mut Vec<u8>, segment: u16) {
    let [high, low] = segment.to_be_bytes();
    let digits = [hex(high >> 4), hex(high), hex(low >> 4), hex(low)];
    let leading_zeros = (segment | 1).leading_zeros() / 4;
    out.extend_from_slice(digits.get(leading_zeros as usize..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(address: IpAddr) -> String {
        let mut out = Vec::new();
        push(&mut out, address);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn special_addresses_are_spelled_as_usual() {
        for address in [
            "::",
            "::1",
            "1::",
            "2001:db8::7",
            "::ffff:192.0.2.7",
            "::192.0.2.7",
            "1:0:0:2::",
            "1:0:2:3:4:5:6:7",
            "fe80::1:0:0:1",
            "0:0:1::",
            "255.255.255.255",
            "0.0.0.0",
            "10.0.200.99",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(text(address), address.to_string());
        }
    }

    proptest! {
        #[test]
        fn addresses_are_spelled_as_display_does(address: IpAddr, zeros: u8, small: [u8; 8]) {
            prop_assert_eq!(text(address), address.to_string());
            let mut segments = small.map(u16::from);
            for (index, segment) in segments.iter_mut().enumerate() {
                if zeros >> index & 1 == 1 {
                    *segment = 0;
                }
            }
            let address = IpAddr::from(segments);
            prop_assert_eq!(text(address), address.to_string());
        }
    }
}
