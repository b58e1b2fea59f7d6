//! One event, flattened for any pattern.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::EventError;
use crate::leaves::{Kind, Leaf, Leaves};
use crate::scan::{ScanError, Scanner, Token};
use crate::term::Literal;

/// Deeper nesting than the service reads.
pub(crate) const MAX_DEPTH: usize = 1000;

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
        let mut event = Event {
            source: text.to_owned(),
            leaves: Leaves::default(),
            paths: HashMap::new(),
        };
        event.leaves.clear();
        Flattening {
            scanner: Scanner::new(text, MAX_DEPTH),
            leaves: &mut event.leaves,
            paths: &mut event.paths,
            path: String::new(),
            frames: Vec::new(),
        }
        .run()?;
        Ok(event)
    }

    pub(crate) fn source(&self) -> &[u8] {
        self.source.as_bytes()
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

    /// Whether there are leaves below a path.
    pub(crate) fn has_below(&self, path: &str) -> bool {
        self.paths.keys().any(|other| {
            other
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Length of the joined path of this container; an array's elements share it.
    path: usize,
    /// The place that this container's leaves have.
    place: usize,
    /// For an array: its number and the index of its next element.
    array: Option<(usize, usize)>,
    has_empty_step: bool,
}

struct Flattening<'a> {
    scanner: Scanner<'a>,
    leaves: &'a mut Leaves,
    paths: &'a mut HashMap<String, usize>,
    path: String,
    frames: Vec<Frame>,
}

impl Flattening<'_> {
    fn run(mut self) -> Result<(), EventError> {
        if self.scanner.next().map_err(refusal)? != Token::ObjectStart {
            return Err(EventError::Syntax {
                message: "Event must be a JSON object".to_owned(),
                offset: 0,
            });
        }
        self.frames.push(Frame {
            path: 0,
            place: 0,
            array: None,
            has_empty_step: false,
        });
        loop {
            let token = self.scanner.next().map_err(refusal)?;
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
                    let value = self.scanner.next().map_err(refusal)?;
                    let inner = Frame {
                        path: self.path.len(),
                        place: frame.place,
                        array: None,
                        has_empty_step: frame.has_empty_step || name.is_empty(),
                    };
                    self.value(&value, inner);
                }
                element => self.element(&element),
            }
        }
    }

    fn element(&mut self, token: &Token<'_>) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        let mut inner = *frame;
        if let Some((array, index)) = frame.array {
            frame.array = Some((array, index + 1));
            // Only elements that are containers hold their leaves together.
            if matches!(token, Token::ObjectStart | Token::ArrayStart) {
                inner.place = self.leaves.add_place(frame.place, array, index);
            }
        }
        inner.array = None;
        self.path.truncate(inner.path);
        self.value(token, inner);
    }

    /// Takes a value whose first token was just read; `inner` is its frame if it is a container.
    fn value(&mut self, token: &Token<'_>, mut inner: Frame) {
        let (start, end) = (self.scanner.token_start(), self.scanner.position());
        let (kind, start, end) = match token {
            Token::ArrayStart => {
                inner.array = Some((self.leaves.add_array(), 0));
                self.frames.push(inner);
                return;
            }
            Token::ObjectStart => {
                self.frames.push(inner);
                return;
            }
            Token::String(Cow::Borrowed(_)) => (Kind::Text, start + 1, end - 1),
            Token::String(Cow::Owned(text)) => {
                let (start, end) = self.leaves.add_text(text);
                (Kind::Decoded, start, end)
            }
            Token::Number(_) => (Kind::Number, start, end),
            Token::True => (Kind::Literal(Literal::True), 0, 0),
            Token::False => (Kind::Literal(Literal::False), 0, 0),
            _ => (Kind::Literal(Literal::Null), 0, 0),
        };
        let next = self.paths.len();
        let path = match self.paths.get(&self.path) {
            Some(known) => *known,
            None => *self.paths.entry(self.path.clone()).or_insert(next),
        };
        self.leaves.push(
            path,
            Leaf {
                kind,
                start,
                end,
                place: inner.place,
                has_empty_step: inner.has_empty_step,
            },
        );
    }
}

pub(crate) fn refusal(error: ScanError) -> EventError {
    if error.too_deep {
        EventError::TooDeep { limit: MAX_DEPTH }
    } else {
        EventError::Syntax {
            message: error.message,
            offset: error.offset,
        }
    }
}
