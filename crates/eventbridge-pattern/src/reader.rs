//! Reads the wanted leaves of an event's bytes, without a tree and without reading the rest.
//!
//! What is read is checked as strictly as [`crate::Event::parse`] does. Of a value that no pattern
//! names only its structure is known: strings end and have no control characters, brackets are
//! balanced, and nothing is nested too deep.

use crate::error::EventError;
use crate::event::{Event, MAX_DEPTH};
use crate::keys::Keys;
use crate::leaves::{Kind, Leaf, Leaves};
use crate::structure::{Skip, Structure};
use crate::term::Literal;
use crate::trie::Trie;

/// Working memory of [`read`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    structure: Structure,
    keys: Keys,
    /// The containers around the current one.
    frames: Vec<Frame>,
}

/// The event is invalid. The strict reader finds out why.
#[derive(Debug, Clone, Copy)]
struct Flawed;

/// A container whose members are wanted.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    /// What its path is; an array's elements share it.
    node: u32,
    /// The place that its leaves have.
    place: usize,
    is_array: bool,
    /// Of an array: its number and the index of its next element.
    array: usize,
    index: usize,
    has_empty_step: bool,
    /// Of an object: what its next key is guessed from.
    last_key: u32,
}

/// Collects the leaves at the paths of `trie`, forgetting those of the last event.
pub(crate) fn read(
    bytes: &[u8],
    trie: &Trie,
    memory: &mut Memory,
    leaves: &mut Leaves,
) -> Result<(), EventError> {
    leaves.clear();
    let Memory {
        structure,
        keys,
        frames,
    } = memory;
    frames.clear();
    keys.start(trie.id());
    if structure.read(bytes).is_err()
        || !structure.is_ascii() && std::str::from_utf8(bytes).is_err()
    {
        return Err(refusal(bytes));
    }
    let reading = Reading {
        bytes,
        structure,
        keys,
        trie,
        leaves,
        frames,
        frame: Frame::default(),
        at: 0,
    };
    reading.run().map_err(|Flawed| refusal(bytes))
}

/// Why an event is refused: the strict reader's reason.
#[cold]
fn refusal(bytes: &[u8]) -> EventError {
    let other = |message: &str, offset| EventError::Syntax {
        message: message.to_owned(),
        offset,
    };
    match std::str::from_utf8(bytes).map(Event::parse) {
        Err(error) => other("Invalid UTF-8", error.valid_up_to()),
        Ok(Err(error)) => error,
        Ok(Ok(_)) => other("Invalid JSON", 0),
    }
}

struct Reading<'a> {
    bytes: &'a [u8],
    structure: &'a Structure,
    keys: &'a mut Keys,
    trie: &'a Trie,
    leaves: &'a mut Leaves,
    frames: &'a mut Vec<Frame>,
    /// The current container.
    frame: Frame,
    at: usize,
}

impl Reading<'_> {
    fn run(mut self) -> Result<(), Flawed> {
        if self.peek() != Some(b'{') {
            return Err(Flawed);
        }
        self.at += 1;
        let mut is_fresh = true;
        loop {
            // Before a member or an element, or the end of an empty container.
            let entered = match (self.peek().ok_or(Flawed)?, self.frame.is_array) {
                (b'"', false) => self.member()?,
                (b'}', false) | (b']', true) if is_fresh => false,
                (_, false) => return Err(Flawed),
                (first, true) => self.element(first)?,
            };
            if entered {
                is_fresh = true;
                continue;
            }
            // Behind it: a comma, or the end of one or more containers.
            loop {
                let byte = self.peek().ok_or(Flawed)?;
                self.at += 1;
                match (byte, self.frame.is_array) {
                    (b',', _) => break,
                    (b'}', false) | (b']', true) => match self.frames.pop() {
                        Some(outer) => self.frame = outer,
                        None if self.peek().is_none() => return Ok(()),
                        None => return Err(Flawed),
                    },
                    _ => return Err(Flawed),
                }
            }
            is_fresh = false;
        }
    }

    /// The next byte that isn't white space; `at` is on it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Reads a string; `at` is on its opening quote. Where its content is.
    #[inline]
    fn string(&mut self) -> Result<(usize, usize), Flawed> {
        let start = self.at + 1;
        let end = self.structure.next(start, |block| block.quotes);
        let end = end.ok_or(Flawed)?;
        self.at = end + 1;
        Ok((start, end))
    }

    /// Decodes a string with escapes into the arena.
    #[cold]
    fn decode(&mut self, start: usize, end: usize) -> Result<(usize, usize), Flawed> {
        let escaped = self.bytes.get(start..end).unwrap_or_default();
        let escaped = std::str::from_utf8(escaped).map_err(|_| Flawed)?;
        self.leaves.decode(escaped).ok_or(Flawed)
    }

    /// Where a key with escapes leads to.
    #[cold]
    fn descend_escaped(&mut self, start: usize, end: usize) -> Result<Option<u32>, Flawed> {
        let decoded = self.decode(start, end)?;
        Ok(self
            .trie
            .descend(self.frame.node, self.leaves.decoded(decoded)))
    }

    /// Reads a member; `at` is on its name's quote. Whether a container was entered.
    #[inline]
    fn member(&mut self) -> Result<bool, Flawed> {
        let (last_key, node) = (self.frame.last_key, self.frame.node);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        // A key too near to the end isn't guessed.
        let text = rest.first_chunk();
        let hit = text.and_then(|text| self.keys.guess(last_key, node, text));
        let (node, is_empty) = if let Some(hit) = hit {
            self.at += hit.length;
            self.frame.last_key = hit.place;
            (hit.target, false)
        } else {
            self.key()?
        };
        let Some(node) = node else {
            self.pass_over()?;
            return Ok(false);
        };
        let has_empty_step = self.frame.has_empty_step || is_empty;
        let first = self.peek().ok_or(Flawed)?;
        self.value(first, node, self.frame.place, has_empty_step)
    }

    /// Reads a key that isn't the one that was guessed, and its colon. Where it leads to, and
    /// whether it is empty.
    fn key(&mut self) -> Result<(Option<u32>, bool), Flawed> {
        let (last_key, from) = (self.frame.last_key, self.frame.node);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if let Some(hit) = rest
            .first_chunk()
            .and_then(|text| self.keys.guess_again(last_key, from, text))
        {
            self.at += hit.length;
            self.frame.last_key = hit.place;
            return Ok((hit.target, false));
        }
        let (start, end) = self.string()?;
        let has_escape = self.structure.has_escape(start, end);
        let node = if has_escape {
            self.descend_escaped(start, end)?
        } else {
            let name = self.bytes.get(start..end).unwrap_or_default();
            self.trie.descend(self.frame.node, name)
        };
        if self.peek() != Some(b':') {
            return Err(Flawed);
        }
        self.at += 1;
        let is_empty = start == end;
        let length = end + 2 - (start - 1);
        if !has_escape
            && !is_empty
            && self.at == end + 2
            && let Some(text) = rest.first_chunk()
        {
            self.frame.last_key = self.keys.learn(last_key, from, text, length, node);
        }
        Ok((node, is_empty))
    }

    /// Reads an element of an array; `first` is its first byte. Whether a container was entered.
    fn element(&mut self, first: u8) -> Result<bool, Flawed> {
        let Frame {
            node,
            mut place,
            array,
            index,
            has_empty_step,
            ..
        } = self.frame;
        // Only elements that are containers hold their leaves together.
        if matches!(first, b'{' | b'[') {
            place = self.leaves.add_place(place, array, index);
        }
        self.frame.index += 1;
        self.value(first, node, place, has_empty_step)
    }

    /// Enters a container; `at` is on its bracket.
    fn enter(&mut self, frame: Frame) -> Result<bool, Flawed> {
        self.at += 1;
        self.frames.push(self.frame);
        self.frame = frame;
        if self.frames.len() < MAX_DEPTH {
            Ok(true)
        } else {
            Err(Flawed)
        }
    }

    /// Reads a value of a path. Whether it is a container that was entered.
    #[inline]
    fn value(
        &mut self,
        first: u8,
        node: u32,
        place: usize,
        has_empty_step: bool,
    ) -> Result<bool, Flawed> {
        let wanted = self.trie.node(node);
        let (kind, start, end) = match (first, wanted.path) {
            (b'{', _) if wanted.descend => {
                return self.enter(Frame {
                    node,
                    place,
                    has_empty_step,
                    last_key: Keys::head(node),
                    ..Frame::default()
                });
            }
            (b'[', _) => {
                let array = self.leaves.add_array();
                return self.enter(Frame {
                    node,
                    place,
                    has_empty_step,
                    is_array: true,
                    array,
                    index: 0,
                    last_key: 0,
                });
            }
            (b'{', _) | (_, None) => {
                self.pass_over()?;
                return Ok(false);
            }
            (b'"', _) => {
                let (start, end) = self.string()?;
                if self.structure.has_escape(start, end) {
                    let (start, end) = self.decode(start, end)?;
                    (Kind::Decoded, start, end)
                } else {
                    (Kind::Text, start, end)
                }
            }
            (b't', _) => self.literal(b"true", Literal::True)?,
            (b'f', _) => self.literal(b"false", Literal::False)?,
            (b'n', _) => self.literal(b"null", Literal::Null)?,
            _ => self.number()?,
        };
        if let Some(path) = wanted.path {
            self.leaves.push(
                path as usize,
                Leaf {
                    kind,
                    start,
                    end,
                    place,
                    has_empty_step,
                },
            );
        }
        Ok(false)
    }

    fn literal(&mut self, word: &[u8], literal: Literal) -> Result<(Kind, usize, usize), Flawed> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word) {
            return Err(Flawed);
        }
        self.at = end;
        Ok((Kind::Literal(literal), 0, 0))
    }

    fn number(&mut self) -> Result<(Kind, usize, usize), Flawed> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = number_length(rest).ok_or(Flawed)?;
        self.at += length;
        Ok((Kind::Number, start, self.at))
    }

    /// Skips a value without reading it, up to the comma or bracket after it.
    #[inline]
    fn pass_over(&mut self) -> Result<(), Flawed> {
        self.at = self.structure.next_mark(self.at).ok_or(Flawed)?;
        if matches!(self.bytes.get(self.at), Some(b'{' | b'[')) {
            self.pass_over_container()?;
        }
        Ok(())
    }

    fn pass_over_container(&mut self) -> Result<(), Flawed> {
        // The root and the current container are open too.
        let depth = self.frames.len() + 1;
        match self.structure.skip(self.at + 1, depth, MAX_DEPTH) {
            Skip::Behind(end) => {
                self.at = end;
                Ok(())
            }
            Skip::TooDeep | Skip::Open => Err(Flawed),
        }
    }
}

/// How many bytes at the beginning are a number.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let whole = usize::from(bytes.first() == Some(&b'-'));
    let mut end = digits(whole)?;
    if bytes.get(whole) == Some(&b'0') && end > whole + 1 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits(end + 1 + usize::from(sign))?;
    }
    Some(end)
}
