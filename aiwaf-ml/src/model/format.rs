//! The model as bytes.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `AIWAF-ML` |
//! | 4 | version, as all numbers little-endian |
//! | 4 | h, the length of the header |
//! | 4 | t, the length of the trees |
//! | h | the header: one JSON object, so that a person can read it with `strings` |
//! | t | the trees, one after the other: the nodes from the root, each split followed by all that is below it |
//! | 4 | CRC-32 of all that comes before |
//!
//! A node is a byte 0 and the number of rows (4 bytes), or a byte 1, the offset (an IEEE 754 number of 8 bytes), and for
//! each column that the split looks at its number (2 bytes) and, if the forest is extended, its weight (8 bytes).
//!
//! Nothing in it can run, and everything in it is checked, whether the checksum is right or not: that is against
//! accidents, and an attacker could compute any other as well, for there is no secret. So CRC-32, which the build has
//! anyway, is enough: it finds every burst of up to 32 bits, and all but one in four billion of other damages.

use aiwaf_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ModelError, TrainedModel, TrainingRecord};
use crate::forest::tree::{Node, Term, Tree};
use crate::forest::{Contamination, Extension, ForestParts, IsolationForest};

/// The largest file that is read.
pub(super) const MAX_FILE: u64 = 128 << 20;

const MAGIC: &[u8; 8] = b"AIWAF-ML";
const VERSION: u32 = 1;
/// Where the header begins.
const HEADER_START: usize = 20;
const CHECKSUM: usize = 4;
/// 4,096 names of 100 bytes, 100 sources of 1,024, both escaped.
const MAX_HEADER: u32 = 4 << 20;

const LEAF: u8 = 0;
const SPLIT: u8 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    features: Vec<String>,
    trained_at: String,
    training_rows: u64,
    log_lines: u64,
    log_sources: Vec<String>,
    seed: u64,
    /// None is `auto`.
    contamination: Option<f64>,
    threshold: f64,
    trees: u32,
    sample_size: u32,
    /// None is the standard forest.
    extension_level: Option<u16>,
}

impl TrainedModel {
    /// The model as bytes, the same for the same model.
    ///
    /// # Errors
    /// [`ModelError::TooLarge`] if it would be too large to be read again, and [`ModelError::NotStorable`] if the
    /// forest comes from the other backend.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let parts = self.forest.parts().ok_or(ModelError::NotStorable)?;
        let header = Header {
            features: self.feature_names.clone(),
            trained_at: self.training.trained_at.to_string(),
            training_rows: parts.training_rows,
            log_lines: self.training.log_lines,
            log_sources: self.training.log_sources.clone(),
            seed: parts.seed,
            contamination: match parts.contamination {
                Contamination::Auto => None,
                Contamination::Fraction(fraction) => Some(fraction),
            },
            threshold: parts.threshold,
            trees: u32::try_from(parts.trees.len()).unwrap_or(u32::MAX),
            sample_size: parts.sample_size,
            extension_level: match parts.extension {
                Extension::Standard => None,
                Extension::Level(level) => Some(level),
            },
        };
        let header = serde_json::to_vec(&header).map_err(|error| ModelError::invalid(error.to_string()))?;
        let mut trees = Vec::new();
        for tree in &parts.trees {
            write_tree(tree, parts.extension.is_extended(), &mut trees);
        }
        let too_large = || ModelError::TooLarge { bytes: (header.len() + trees.len()) as u64, max: MAX_FILE };
        let header_length = u32::try_from(header.len()).ok().filter(|length| *length <= MAX_HEADER);
        let header_length = header_length.ok_or_else(too_large)?;
        let trees_length = u32::try_from(trees.len()).map_err(|_| too_large())?;
        if expected_length(header_length, trees_length) > MAX_FILE {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(HEADER_START + header.len() + trees.len() + CHECKSUM);
        bytes.extend_from_slice(MAGIC);
        for number in [VERSION, header_length, trees_length] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&trees);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. `bytes` may be anything: time and memory are bounded.
    ///
    /// # Errors
    /// [`ModelError`] says what is wrong: something else, another version, cut off, damaged, or nonsense.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let body = check_envelope(bytes)?;
        let mut reader = Reader { bytes: body, start: 0 };
        let header_length = u32::from_le_bytes(at(bytes, 12)?);
        let header = reader.take(header_length as usize)?;
        let header: Header = serde_json::from_slice(header)
            .map_err(|error| ModelError::invalid(format!("its header can't be read: {error}")))?;
        let trained_at = Timestamp::parse_iso8601(&header.trained_at)
            .ok_or_else(|| ModelError::invalid("its time of training is no time"))?;
        let mut parts = ForestParts {
            columns: header.features.len(),
            training_rows: header.training_rows,
            sample_size: header.sample_size,
            extension: header.extension_level.map_or(Extension::Standard, Extension::Level),
            seed: header.seed,
            contamination: header.contamination.map_or(Contamination::Auto, Contamination::Fraction),
            threshold: header.threshold,
            trees: Vec::new(),
        };
        parts.check(header.trees).map_err(ModelError::invalid)?;
        for number in 0..header.trees {
            let tree = reader
                .tree(&parts)
                .map_err(|what| ModelError::invalid(format!("tree {number} (counted from 0) {what}")))?;
            parts.trees.push(tree);
        }
        if reader.start < body.len() {
            return Err(ModelError::invalid("there is something behind its last tree"));
        }
        let training =
            TrainingRecord { trained_at, log_lines: header.log_lines, log_sources: header.log_sources };
        Self::new(IsolationForest::from_parts(parts), header.features, training)
    }
}

fn expected_length(header: u32, trees: u32) -> u64 {
    (HEADER_START + CHECKSUM) as u64 + u64::from(header) + u64::from(trees)
}

/// Checks all that surrounds header and trees, and returns these.
fn check_envelope(bytes: &[u8]) -> Result<&[u8], ModelError> {
    let found = bytes.len() as u64;
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if !MAGIC.starts_with(magic) {
        return Err(ModelError::NotAModel);
    }
    let version = u32::from_le_bytes(at(bytes, 8)?);
    if version != VERSION {
        return Err(ModelError::Version { found: version, known: VERSION });
    }
    let header = u32::from_le_bytes(at(bytes, 12)?);
    let expected = expected_length(header, u32::from_le_bytes(at(bytes, 16)?));
    if found > MAX_FILE || expected > MAX_FILE {
        return Err(ModelError::TooLarge { bytes: found.max(expected), max: MAX_FILE });
    }
    if header > MAX_HEADER {
        return Err(ModelError::invalid("its header is too long"));
    }
    if found < expected {
        return Err(ModelError::Truncated { found, expected });
    }
    if found > expected {
        return Err(ModelError::invalid("there is something behind its end"));
    }
    let end = bytes.len() - CHECKSUM;
    let stored = u32::from_le_bytes(at(bytes, end)?);
    let computed = crc32fast::hash(bytes.get(..end).unwrap_or_default());
    if stored != computed {
        return Err(ModelError::Checksum { expected: stored, found: computed });
    }
    Ok(bytes.get(HEADER_START..end).unwrap_or_default())
}

/// The four bytes at `start`.
fn at(bytes: &[u8], start: usize) -> Result<[u8; 4], ModelError> {
    let four = bytes.get(start..start + 4).and_then(|four| four.try_into().ok());
    four.ok_or(ModelError::Truncated {
        found: bytes.len() as u64,
        expected: (HEADER_START + CHECKSUM) as u64,
    })
}

fn write_tree(tree: &Tree, is_extended: bool, out: &mut Vec<u8>) {
    let mut terms = tree.terms.chunks_exact(tree.width);
    for node in &tree.nodes {
        match node {
            Node::Leaf { rows } => {
                out.push(LEAF);
                out.extend_from_slice(&rows.to_le_bytes());
            }
            Node::Split { offset } => {
                out.push(SPLIT);
                out.extend_from_slice(&offset.to_le_bytes());
                for term in terms.next().unwrap_or_default() {
                    out.extend_from_slice(&term.column.to_le_bytes());
                    if is_extended {
                        out.extend_from_slice(&term.weight.to_le_bytes());
                    }
                }
            }
        }
    }
}

/// What is left of the bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ModelError> {
        let taken = self.start.checked_add(length).and_then(|end| self.bytes.get(self.start..end));
        let taken = taken.ok_or_else(|| ModelError::invalid("it ends too early"))?;
        self.start += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N).ok().and_then(|taken| taken.try_into().ok());
        taken.ok_or_else(|| "ends too early".to_owned())
    }

    fn number(&mut self, what: &str) -> Result<f64, String> {
        let number = f64::from_le_bytes(self.array()?);
        if number.is_finite() { Ok(number) } else { Err(format!("has {number} for {what}")) }
    }

    /// Reads one tree. What is wrong is said so that it can stand behind its name.
    fn tree(&mut self, parts: &ForestParts) -> Result<Tree, String> {
        let is_extended = parts.extension.is_extended();
        let width = parts.extension.width();
        let mut tree = Tree { nodes: Vec::new(), width, terms: Vec::new() };
        // For each place that is still to be filled, how many splits may be below it, the next one last.
        let mut open = vec![parts.height()];
        let mut rows_in_leaves = 0u64;
        while let Some(height) = open.pop() {
            match self.array()? {
                [LEAF] => {
                    let rows = u32::from_le_bytes(self.array()?);
                    rows_in_leaves += u64::from(rows);
                    tree.nodes.push(Node::Leaf { rows });
                }
                [SPLIT] => {
                    let below = height.checked_sub(1).ok_or("is too high")?;
                    tree.nodes.push(Node::Split { offset: self.number("an offset")? });
                    for _ in 0..width {
                        let column = u16::from_le_bytes(self.array()?);
                        if usize::from(column) >= parts.columns {
                            return Err(format!("splits column {column}, which there is not"));
                        }
                        let weight = if is_extended { self.number("a weight")? } else { 1.0 };
                        if weight.abs() > MAX_WEIGHT {
                            return Err(format!("has {weight} for a weight"));
                        }
                        tree.terms.push(Term { column, weight });
                    }
                    open.extend([below, below]);
                }
                [other] => return Err(format!("has a node of the unknown kind {other}")),
            }
        }
        if rows_in_leaves != u64::from(parts.sample_size) {
            return Err(format!("has {rows_in_leaves} rows in its leaves instead of {}", parts.sample_size));
        }
        Ok(tree)
    }
}

/// No normal number comes near it; sums of so many columns with such weights stay finite.
const MAX_WEIGHT: f64 = 1e6;
