//! A tree as it is grown and stored.

/// The nodes of one tree in the order in which they are reached: each split, then all that is below it on the left, then
/// all on the right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// How many terms a split has, at least 1.
    pub(crate) width: usize,
    /// What the splits look at, `width` terms for each, in the order of the splits.
    pub(crate) terms: Vec<Term>,
}

/// A node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Node {
    /// Rows whose terms' sum is at most `offset` go to the left, the others to the right.
    Split { offset: f64 },
    /// The end of a path, where so many of the rows arrived that the tree was grown from.
    Leaf { rows: u32 },
}

/// A part of what a split looks at: a column, times `weight`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Term {
    pub(crate) column: u16,
    pub(crate) weight: f64,
}

impl Term {
    /// What takes the place of a column that there is none of.
    pub(crate) const NOTHING: Self = Self { column: 0, weight: 0.0 };
}
