//! The leaves of an event: values with their joined paths and their places in arrays.

use crate::scan;
use crate::term::{Literal, Scalar};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A string without escapes, in the source.
    Text,
    /// A string that had escapes, decoded in the arena.
    Decoded,
    Number,
    Literal(Literal),
}

/// One leaf value of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The innermost element of an array it belongs to, an index into [`Leaves::places`].
    pub(crate) place: usize,
    /// Some key above it is empty.
    pub(crate) has_empty_step: bool,
}

/// An element of an array; the parents are the elements that enclose it.
#[derive(Debug, Clone, Copy)]
struct Place {
    parent: usize,
    array: usize,
    index: usize,
}

/// The leaves of one event. Reused from event to event, it keeps its memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaves {
    all: Vec<Leaf>,
    by_path: Vec<Vec<usize>>,
    touched: Vec<usize>,
    /// Strings that contained escapes, decoded.
    arena: String,
    /// The first entry means "in no array".
    places: Vec<Place>,
    arrays: usize,
    has_empty_steps: bool,
    has_several: bool,
}

impl Leaves {
    pub(crate) fn clear(&mut self) {
        for path in self.touched.drain(..) {
            if let Some(leaves) = self.by_path.get_mut(path) {
                leaves.clear();
            }
        }
        self.all.clear();
        self.arena.clear();
        self.places.clear();
        self.places.push(Place {
            parent: 0,
            array: usize::MAX,
            index: 0,
        });
        self.arrays = 0;
        self.has_empty_steps = false;
        self.has_several = false;
    }

    /// Indices of the leaves at a path, in document order.
    #[inline]
    pub(crate) fn at(&self, path: usize) -> &[usize] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    #[inline]
    pub(crate) fn leaf(&self, index: usize) -> Option<&Leaf> {
        self.all.get(index)
    }

    /// The paths that have leaves.
    pub(crate) fn touched(&self) -> &[usize] {
        &self.touched
    }

    /// A leaf's value; `source` is the text that was flattened.
    #[inline]
    pub(crate) fn value<'a>(&'a self, source: &'a [u8], leaf: &Leaf) -> Scalar<'a> {
        let slice = |text: &'a [u8]| text.get(leaf.start..leaf.end).unwrap_or_default();
        match leaf.kind {
            Kind::Text => Scalar::Text(slice(source)),
            Kind::Decoded => Scalar::Text(slice(self.arena.as_bytes())),
            Kind::Number => Scalar::Number(slice(source)),
            Kind::Literal(literal) => Scalar::Literal(literal),
        }
    }

    /// Whether each path has one leaf at most, in no array, with no empty key above it.
    pub(crate) fn is_plain(&self) -> bool {
        self.places.len() == 1 && !self.has_several && !self.has_empty_steps
    }

    /// Whether some leaf has an empty key above it.
    pub(crate) fn has_empty_steps(&self) -> bool {
        self.has_empty_steps
    }

    /// How many leaves there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// How many arrays there are.
    pub(crate) fn arrays(&self) -> usize {
        self.arrays
    }

    /// Starts an array and returns its number.
    pub(crate) fn add_array(&mut self) -> usize {
        self.arrays += 1;
        self.arrays - 1
    }

    /// Starts an element of an array and returns its number.
    pub(crate) fn add_place(&mut self, parent: usize, array: usize, index: usize) -> usize {
        self.places.push(Place {
            parent,
            array,
            index,
        });
        self.places.len() - 1
    }

    /// Appends the elements of arrays that enclose a place, innermost first, as (array, index).
    pub(crate) fn chain(&self, mut place: usize, chain: &mut Vec<(usize, usize)>) {
        while place != 0
            && let Some(element) = self.places.get(place)
        {
            chain.push((element.array, element.index));
            place = element.parent;
        }
    }

    /// Keeps a decoded text; its range in the arena.
    pub(crate) fn add_text(&mut self, text: &str) -> (usize, usize) {
        let start = self.arena.len();
        self.arena.push_str(text);
        (start, self.arena.len())
    }

    /// Keeps a text that is still escaped; its range in the arena.
    pub(crate) fn decode(&mut self, escaped: &str) -> Option<(usize, usize)> {
        let start = self.arena.len();
        scan::unescape(escaped, &mut self.arena).ok()?;
        Some((start, self.arena.len()))
    }

    pub(crate) fn decoded(&self, (start, end): (usize, usize)) -> &[u8] {
        self.arena.as_bytes().get(start..end).unwrap_or_default()
    }

    /// Adds a leaf at a path.
    #[inline]
    pub(crate) fn push(&mut self, path: usize, leaf: Leaf) {
        if path >= self.by_path.len() {
            self.by_path.resize_with(path + 1, Vec::new);
        }
        if let Some(leaves) = self.by_path.get_mut(path) {
            if leaves.is_empty() {
                self.touched.push(path);
            } else {
                self.has_several = true;
            }
            leaves.push(self.all.len());
            self.has_empty_steps |= leaf.has_empty_step;
            self.all.push(leaf);
        }
    }
}
