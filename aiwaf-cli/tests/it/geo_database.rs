//! A country database, made for a test.

/// A MaxMind database of IPv4 networks of 8 bits: their first byte, and the country's code.
pub(crate) fn geo_database(networks: &[(u8, &str)]) -> Vec<u8> {
    let mut nodes: Vec<[Option<Child>; 2]> = vec![[None, None]];
    let mut data = Vec::new();
    for (first, code) in networks {
        let mut node = 0;
        for bit in (1..8).rev() {
            let side = usize::from(first >> bit & 1);
            node = if let Some(Child::Node(next)) = nodes[node][side] {
                next
            } else {
                nodes.push([None, None]);
                let next = nodes.len() - 1;
                nodes[node][side] = Some(Child::Node(next));
                next
            };
        }
        nodes[node][usize::from(first & 1)] = Some(Child::Data(data.len()));
        data.extend(map(&[("country", map(&[("iso_code", text(code))]))]));
    }
    let mut bytes = Vec::new();
    for child in nodes.iter().flatten() {
        let value = match child {
            None => nodes.len(),
            Some(Child::Node(index)) => *index,
            Some(Child::Data(offset)) => nodes.len() + 16 + offset,
        };
        bytes.extend_from_slice(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
    }
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&data);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let count = u32::try_from(nodes.len()).unwrap().to_be_bytes();
    bytes.extend(map(&[
        ("binary_format_major_version", vec![0xa1, 2]),
        ("binary_format_minor_version", vec![0xa0]),
        ("build_epoch", vec![0x01, 0x02, 1]),
        ("database_type", text("Test-Country")),
        ("description", map(&[])),
        ("ip_version", vec![0xa1, 4]),
        ("languages", vec![0x00, 0x04]),
        ("node_count", [&[0xc4][..], &count].concat()),
        ("record_size", vec![0xa1, 24]),
    ]));
    bytes
}

#[derive(Clone, Copy)]
enum Child {
    Node(usize),
    Data(usize),
}

fn text(text: &str) -> Vec<u8> {
    [&[0x40 | u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xe0 | u8::try_from(entries.len()).unwrap()];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend_from_slice(value);
    }
    bytes
}
