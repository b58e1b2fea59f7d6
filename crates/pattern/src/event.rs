//! Events, flattened: the leaves with their joined paths and their places in arrays.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::EventError;
use crate::scan::{ScanError, Scanner, Token};
use crate::term::{Literal, Scalar};

/// Deeper nesting than the service reads.
pub(crate) const MAX_DEPTH: usize = 1000;

/// What a set of patterns wants to know about a path of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interest {
    /// The number under which leaves at this path are collected.
    pub(crate) leaf: Option<usize>,
    /// Whether a longer path is wanted too.
    pub(crate) descend: bool,
}

/// Decides which paths are collected.
pub(crate) trait Paths {
    /// The interest in a joined path, `None` to skip all that is below it.
    fn interest(&mut self, path: &str) -> Option<Interest>;
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Text between two offsets of the source (`true`) or of the arena.
    Text(bool),
    Number,
    Literal(Literal),
}

/// One leaf value of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventLeaf {
    kind: Kind,
    start: usize,
    end: usize,
    /// The innermost element of an array it belongs to, an index into [`Leaves::places`].
    pub(crate) place: usize,
    /// Some key above it is empty.
    pub(crate) has_empty_step: bool,
}

/// An element of an array; the parents are the elements that enclose it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    parent: usize,
    array: usize,
    index: usize,
}

/// The leaves of one event. Reused from event to event, it keeps its memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaves {
    all: Vec<EventLeaf>,
    by_path: Vec<Vec<usize>>,
    touched: Vec<usize>,
    /// Strings that contained escapes, decoded.
    arena: String,
    /// The first entry stands for "in no array".
    places: Vec<Place>,
    path: String,
    frames: Vec<Frame>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Length of the joined path of this container.
    path: usize,
    /// What is wanted of the container's path: an array's elements share it.
    interest: Interest,
    /// The place that this container's leaves have.
    place: usize,
    /// For an array: its number and the index of its next element.
    array: Option<(usize, usize)>,
    has_empty_step: bool,
}

impl Leaves {
    fn clear(&mut self) {
        for path in self.touched.drain(..) {
            if let Some(leaves) = self.by_path.get_mut(path) {
                leaves.clear();
            }
        }
        self.all.clear();
        self.arena.clear();
        self.path.clear();
        self.frames.clear();
        self.places.clear();
        self.places.push(Place {
            parent: 0,
            array: usize::MAX,
            index: 0,
        });
    }

    /// Indices of the leaves at a path, in document order.
    pub(crate) fn at(&self, path: usize) -> &[usize] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn leaf(&self, index: usize) -> Option<&EventLeaf> {
        self.all.get(index)
    }

    /// A leaf's value; `source` is the text that was flattened.
    pub(crate) fn value<'a>(&'a self, source: &'a str, leaf: &EventLeaf) -> Scalar<'a> {
        let slice = |text: &'a str| text.get(leaf.start..leaf.end).unwrap_or_default();
        match leaf.kind {
            Kind::Text(true) => Scalar::Text(slice(source)),
            Kind::Text(false) => Scalar::Text(slice(&self.arena)),
            Kind::Number => Scalar::Number(slice(source)),
            Kind::Literal(literal) => Scalar::Literal(literal),
        }
    }

    /// The elements of arrays that enclose a place, outermost first, as (array, index).
    pub(crate) fn chain(&self, mut place: usize) -> Vec<(usize, usize)> {
        let mut chain = Vec::new();
        while place != 0
            && let Some(element) = self.places.get(place)
        {
            chain.push((element.array, element.index));
            place = element.parent;
        }
        chain.reverse();
        chain
    }

    /// Collects the wanted leaves of an event, forgetting those of the last one.
    pub(crate) fn flatten(
        &mut self,
        source: &str,
        paths: &mut impl Paths,
    ) -> Result<(), EventError> {
        self.clear();
        let mut scanner = Scanner::new(source, MAX_DEPTH);
        if scanner.next().map_err(refusal)? != Token::ObjectStart {
            return Err(EventError::Syntax {
                message: "Event must be a JSON object".to_owned(),
                offset: 0,
            });
        }
        let nothing = Interest {
            leaf: None,
            descend: true,
        };
        self.frames.push(Frame {
            path: 0,
            interest: nothing,
            place: 0,
            array: None,
            has_empty_step: false,
        });
        let mut arrays = 0;
        loop {
            let token = scanner.next().map_err(refusal)?;
            match token {
                Token::End => return Ok(()),
                Token::ObjectEnd | Token::ArrayEnd => {
                    self.frames.pop();
                }
                Token::Key(name) => {
                    let Some(frame) = self.frames.last().copied() else {
                        continue;
                    };
                    self.path.truncate(frame.path);
                    if self.frames.len() > 1 {
                        self.path.push('.');
                    }
                    self.path.push_str(&name);
                    let value = scanner.next().map_err(refusal)?;
                    match paths.interest(&self.path) {
                        None => scanner.skip(&value).map_err(refusal)?,
                        Some(interest) => {
                            let has_empty_step = frame.has_empty_step || name.is_empty();
                            let inner = Frame {
                                path: self.path.len(),
                                interest,
                                place: frame.place,
                                array: None,
                                has_empty_step,
                            };
                            self.value_at(&mut scanner, value, inner, &mut arrays)?;
                        }
                    }
                }
                element => self.element(&mut scanner, element, &mut arrays)?,
            }
        }
    }

    fn element(
        &mut self,
        scanner: &mut Scanner<'_>,
        token: Token<'_>,
        arrays: &mut usize,
    ) -> Result<(), EventError> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(());
        };
        let mut inner = *frame;
        if let Some((array, index)) = frame.array {
            frame.array = Some((array, index + 1));
            // Only elements that are containers hold their leaves together.
            if matches!(token, Token::ObjectStart | Token::ArrayStart) {
                inner.place = self.places.len();
                self.places.push(Place {
                    parent: frame.place,
                    array,
                    index,
                });
            }
        }
        inner.array = None;
        self.value_at(scanner, token, inner, arrays)
    }

    /// Takes a value whose first token was just read; `inner` is its frame if it is a container.
    fn value_at(
        &mut self,
        scanner: &mut Scanner<'_>,
        token: Token<'_>,
        mut inner: Frame,
        arrays: &mut usize,
    ) -> Result<(), EventError> {
        let (start, end) = (scanner.token_start(), scanner.position());
        let (kind, start, end) = match token {
            Token::ArrayStart => {
                inner.array = Some((*arrays, 0));
                *arrays += 1;
                self.frames.push(inner);
                return Ok(());
            }
            Token::ObjectStart if inner.interest.descend => {
                self.frames.push(inner);
                return Ok(());
            }
            Token::ObjectStart => return scanner.skip(&token).map_err(refusal),
            Token::String(Cow::Borrowed(_)) => (Kind::Text(true), start + 1, end - 1),
            Token::String(Cow::Owned(text)) => {
                let start = self.arena.len();
                self.arena.push_str(&text);
                (Kind::Text(false), start, self.arena.len())
            }
            Token::Number(_) => (Kind::Number, start, end),
            Token::True => (Kind::Literal(Literal::True), 0, 0),
            Token::False => (Kind::Literal(Literal::False), 0, 0),
            _ => (Kind::Literal(Literal::Null), 0, 0),
        };
        let Some(path) = inner.interest.leaf else {
            return Ok(());
        };
        if path >= self.by_path.len() {
            self.by_path.resize_with(path + 1, Vec::new);
        }
        if let Some(leaves) = self.by_path.get_mut(path) {
            if leaves.is_empty() {
                self.touched.push(path);
            }
            leaves.push(self.all.len());
            let has_empty_step = inner.has_empty_step;
            self.all.push(EventLeaf {
                kind,
                start,
                end,
                place: inner.place,
                has_empty_step,
            });
        }
        Ok(())
    }
}

fn refusal(error: ScanError) -> EventError {
    if error.too_deep {
        EventError::TooDeep { limit: MAX_DEPTH }
    } else {
        EventError::Syntax {
            message: error.message,
            offset: error.offset,
        }
    }
}

/// Numbers every path there is.
struct Everything<'a>(&'a mut HashMap<String, usize>);

impl Paths for Everything<'_> {
    fn interest(&mut self, path: &str) -> Option<Interest> {
        let next = self.0.len();
        let leaf = match self.0.get(path) {
            Some(known) => *known,
            None => *self.0.entry(path.to_owned()).or_insert(next),
        };
        Some(Interest {
            leaf: Some(leaf),
            descend: true,
        })
    }
}

/// An event whose leaves are ready to be matched by any pattern.
#[derive(Debug, Clone)]
pub struct Event {
    source: String,
    leaves: Leaves,
    paths: HashMap<String, usize>,
}

impl Event {
    /// Reads an event. Any JSON object is one; the envelope's fields aren't demanded.
    ///
    /// # Errors
    /// Text that isn't one JSON object, or one nested deeper than 1,000 levels.
    pub fn parse(text: &str) -> Result<Event, EventError> {
        let mut leaves = Leaves::default();
        let mut paths = HashMap::new();
        leaves.flatten(text, &mut Everything(&mut paths))?;
        Ok(Event {
            source: text.to_owned(),
            leaves,
            paths,
        })
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn leaves(&self) -> &Leaves {
        &self.leaves
    }

    /// Indices of the leaves at a joined path.
    pub(crate) fn at(&self, path: &str) -> &[usize] {
        self.paths
            .get(path)
            .map_or(&[], |path| self.leaves.at(*path))
    }
}
