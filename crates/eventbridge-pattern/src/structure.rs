//! Where an event's structure is: one pass over its bytes, 64 at a time, that notes the quotes and
//! the brackets and commas outside of strings as bits.
//!
//! The reader then jumps from bit to bit, and skips what no pattern names without reading its bytes
//! again. The comparisons are vector instructions, the widest that the processor has:
//! AVX-512, AVX2 or SSE on x86-64, and NEON on 64-bit Arm.

#![expect(
    clippy::inline_always,
    reason = "what is inlined into `dispatch!` is compiled for each kind of vector"
)]

use std::hint::select_unpredictable;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x64};

/// What is where in 64 bytes; bit 0 is the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Quotes that begin or end a string.
    pub(crate) quotes: u64,
    /// Backslashes.
    pub(crate) escapes: u64,
    /// `{` and `[` outside of strings.
    pub(crate) opens: u64,
    /// `}` and `]` outside of strings.
    pub(crate) closes: u64,
    /// Brackets and commas outside of strings.
    pub(crate) marks: u64,
    /// How many are opened and closed among these bytes.
    opening: u8,
    closing: u8,
}

/// What 64 bytes are, whether in strings or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Raw {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
    commas: u64,
    /// Bytes below the space.
    controls: u64,
    /// Bytes that aren't ASCII.
    wide: u64,
}

/// Why the bytes can't be JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A string has a control character, or has no end.
    Control(usize),
    OpenString,
}

/// The structure of one event. Reused from event to event, it keeps its memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Structure {
    blocks: Vec<Block>,
    has_escapes: bool,
    is_ascii: bool,
}

impl Structure {
    /// Reads the structure of some bytes, forgetting that of the last ones.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        let mut pass = Pass::default();
        dispatch!(Level::new(), simd => pass.read(simd, bytes, &mut self.blocks));
        self.has_escapes = pass.has_escapes;
        self.is_ascii = !pass.is_wide;
        if pass.has_controls {
            return Err(Flaw::Control(self.first_control(bytes)));
        }
        if pass.in_string != 0 {
            return Err(Flaw::OpenString);
        }
        Ok(())
    }

    /// Whether all bytes are ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// The next bit at or after `from` of those that `select` takes of a block.
    #[inline]
    pub(crate) fn next(&self, from: usize, select: impl Fn(&Block) -> u64) -> Option<usize> {
        let number = from / 64;
        let blocks = self.blocks.get(number..)?;
        let (first, behind) = blocks.split_first()?;
        let bits = select(first) & (u64::MAX << (from % 64));
        // Nearly always it is in this block or the next one. A branch on which would be
        // unpredictable, so both are read.
        let more = behind.first().map_or(0, &select);
        let is_here = bits != 0;
        let bits = select_unpredictable(is_here, bits, more);
        let number = number + usize::from(!is_here);
        if bits != 0 {
            return Some(number * 64 + bits.trailing_zeros() as usize);
        }
        self.next_far(number + 1, select)
    }

    fn next_far(&self, mut number: usize, select: impl Fn(&Block) -> u64) -> Option<usize> {
        loop {
            let bits = select(self.blocks.get(number)?);
            if bits != 0 {
                return Some(number * 64 + bits.trailing_zeros() as usize);
            }
            number += 1;
        }
    }

    /// The next bracket or comma at or after `from`.
    #[inline]
    pub(crate) fn next_mark(&self, from: usize) -> Option<usize> {
        self.next(from, |block| block.marks)
    }

    /// Whether there is a backslash from `start` to before `end`.
    #[inline]
    pub(crate) fn has_escape(&self, start: usize, end: usize) -> bool {
        self.has_escapes && self.has_escape_within(start, end)
    }

    fn has_escape_within(&self, start: usize, end: usize) -> bool {
        let mut number = start / 64;
        let mut mask = u64::MAX << (start % 64);
        while number * 64 < end
            && let Some(block) = self.blocks.get(number)
        {
            let bits = block.escapes & mask;
            if bits != 0 {
                return number * 64 + (bits.trailing_zeros() as usize) < end;
            }
            mask = u64::MAX;
            number += 1;
        }
        false
    }

    /// Skips a container whose opening bracket precedes `from`, at the given depth.
    /// Returns the offset after its closing bracket, unless it gets deeper than the limit.
    pub(crate) fn skip(&self, from: usize, depth: usize, limit: usize) -> Skip {
        let mut inner = 1_usize;
        if depth + inner > limit {
            return Skip::TooDeep;
        }
        let mut number = from / 64;
        let mut mask = u64::MAX << (from % 64);
        let mut is_part = true;
        while let Some(block) = self.blocks.get(number) {
            let (more, less) = (usize::from(block.opening), usize::from(block.closing));
            if !is_part && less < inner && depth + inner + more <= limit {
                // Whatever their order, the container doesn't end among these and none is too deep.
                inner = inner + more - less;
            } else {
                let closes = block.closes & mask;
                let mut bits = block.opens & mask | closes;
                while bits != 0 {
                    let bit = bits & bits.wrapping_neg();
                    if closes & bit != 0 {
                        inner -= 1;
                        if inner == 0 {
                            return Skip::Behind(number * 64 + bit.trailing_zeros() as usize + 1);
                        }
                    } else {
                        inner += 1;
                        if depth + inner > limit {
                            return Skip::TooDeep;
                        }
                    }
                    bits ^= bit;
                }
            }
            mask = u64::MAX;
            is_part = false;
            number += 1;
        }
        Skip::Open
    }

    /// The first control character inside a string; only called if there is one.
    fn first_control(&self, bytes: &[u8]) -> usize {
        let mut in_string = false;
        for (at, byte) in bytes.iter().enumerate() {
            let quotes = self.blocks.get(at / 64).map_or(0, |block| block.quotes);
            in_string ^= quotes >> (at % 64) & 1 == 1;
            if in_string && *byte < b' ' {
                return at;
            }
        }
        bytes.len()
    }
}

/// Where skipping a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    Behind(usize),
    TooDeep,
    /// It has no end.
    Open,
}

/// State carried from block to block.
#[derive(Debug, Default)]
struct Pass {
    /// 1 if the next byte is escaped.
    escaped: u64,
    /// All ones inside a string.
    in_string: u64,
    has_controls: bool,
    has_escapes: bool,
    is_wide: bool,
}

impl Pass {
    /// Reads all bytes.
    #[inline(always)]
    fn read<S: Simd>(&mut self, simd: S, bytes: &[u8], blocks: &mut Vec<Block>) {
        let (chunks, rest) = bytes.as_chunks::<64>();
        let mut padded = [b' '; 64];
        if let Some(start) = padded.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
        }
        blocks.clear();
        blocks.reserve(chunks.len() + 1);
        blocks.extend(chunks.iter().map(|chunk| self.block(raw(simd, chunk))));
        blocks.push(self.block(raw(simd, &padded)));
    }

    #[inline(always)]
    fn block(&mut self, raw: Raw) -> Block {
        let quotes = raw.quotes & !self.escaped_by(raw.backslashes);
        // Each bit becomes the parity of the quotes up to it: inside a string, or not.
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.in_string;
        self.in_string = (inside >> 63).wrapping_neg();
        self.has_controls |= raw.controls & inside != 0;
        self.has_escapes |= raw.backslashes != 0;
        self.is_wide |= raw.wide != 0;
        let (opens, closes) = (raw.opens & !inside, raw.closes & !inside);
        #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
        Block {
            quotes,
            escapes: raw.backslashes,
            opens,
            closes,
            marks: opens | closes | raw.commas & !inside,
            opening: opens.count_ones() as u8,
            closing: closes.count_ones() as u8,
        }
    }

    /// The bytes that a backslash escapes: those after a run of backslashes of odd length. The
    /// addition carries a run's beginning to its end (the trick is simdjson's).
    #[inline(always)]
    fn escaped_by(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslashes = backslashes & !self.escaped;
        let follows = backslashes << 1 | self.escaped;
        let odd_starts = backslashes & !EVEN & !follows;
        let (carried, overflow) = odd_starts.overflowing_add(backslashes);
        self.escaped = u64::from(overflow);
        (EVEN ^ (carried << 1)) & follows
    }
}

#[inline(always)]
fn raw<S: Simd>(simd: S, chunk: &[u8; 64]) -> Raw {
    let chunk = u8x64::from_slice(simd, chunk);
    let of = |byte: u8| u8x64::splat(simd, byte);
    let is = |chunk: u8x64<S>, byte: u8| chunk.simd_eq(of(byte)).to_bitmask();
    // `[` and `{` differ in one bit, and so do `]` and `}`.
    let folded = chunk | of(0x20);
    Raw {
        quotes: is(chunk, b'"'),
        backslashes: is(chunk, b'\\'),
        opens: is(folded, b'{'),
        closes: is(folded, b'}'),
        commas: is(chunk, b','),
        controls: chunk.simd_lt(of(b' ')).to_bitmask(),
        wide: chunk.simd_ge(of(0x80)).to_bitmask(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            3 => prop::sample::select(&br#""\{}[],: a"#[..]),
            1 => any::<u8>(),
        ];
        prop::collection::vec(byte, 0..300)
    }

    proptest! {
        #[test]
        fn is_what_a_byte_by_byte_reader_sees(bytes in bytes()) {
            let mut structure = Structure::default();
            let read = structure.read(&bytes);
            let (mut in_string, mut escaped, mut control) = (false, false, None);
            let mut expected: [Vec<usize>; 4] = Default::default();
            for (at, byte) in bytes.iter().enumerate() {
                let was_escaped = escaped;
                escaped = *byte == b'\\' && !was_escaped;
                match byte {
                    b'"' if !was_escaped => {
                        in_string = !in_string;
                        expected[0].push(at);
                    }
                    b'{' | b'[' if !in_string => expected[1].push(at),
                    b'}' | b']' if !in_string => expected[2].push(at),
                    b',' if !in_string => expected[3].push(at),
                    0..=0x1f if in_string => control = control.or(Some(at)),
                    _ => {}
                }
            }
            let all = |select: fn(&Block) -> u64| {
                let mut found = Vec::new();
                let mut from = 0;
                while let Some(at) = structure.next(from, select) {
                    found.push(at);
                    from = at + 1;
                }
                found
            };
            prop_assert_eq!(all(|b| b.quotes), expected[0].clone());
            prop_assert_eq!(all(|b| b.opens), expected[1].clone());
            prop_assert_eq!(all(|b| b.closes), expected[2].clone());
            prop_assert_eq!(all(|b| b.marks & !b.opens & !b.closes), expected[3].clone());
            prop_assert_eq!(structure.is_ascii(), bytes.is_ascii());
            let flaw = match control {
                Some(at) => Err(Flaw::Control(at)),
                None if in_string => Err(Flaw::OpenString),
                None => Ok(()),
            };
            prop_assert_eq!(read, flaw);
        }

        #[test]
        fn lanes_are_in_order(block in prop::collection::vec(any::<u8>(), 64)) {
            let block: [u8; 64] = block.try_into().unwrap();
            let raw = dispatch!(Level::new(), simd => raw(simd, &block));
            for (at, byte) in block.into_iter().enumerate() {
                let is = |bits: u64| bits >> at & 1 == 1;
                prop_assert_eq!(is(raw.quotes), byte == b'"');
                prop_assert_eq!(is(raw.backslashes), byte == b'\\');
                prop_assert_eq!(is(raw.opens), byte == b'{' || byte == b'[');
                prop_assert_eq!(is(raw.closes), byte == b'}' || byte == b']');
                prop_assert_eq!(is(raw.commas), byte == b',');
                prop_assert_eq!(is(raw.controls), byte < 0x20);
                prop_assert_eq!(is(raw.wide), !byte.is_ascii());
            }
        }
    }

    #[test]
    fn skips_to_the_end_of_a_container() {
        let text = format!(
            r#"{{"a":[{{}},"]",{}1{}],"b":1}}"#,
            "[".repeat(100),
            "]".repeat(100)
        );
        let mut structure = Structure::default();
        structure.read(text.as_bytes()).unwrap();
        let end = text.find(",\"b\"").unwrap();
        assert_eq!(structure.skip(6, 1, 1000), Skip::Behind(end));
        assert_eq!(structure.skip(6, 1, 102), Skip::Behind(end));
        assert_eq!(structure.skip(6, 1, 101), Skip::TooDeep);
        structure.read(b"{\"a\":[[]").unwrap();
        assert_eq!(structure.skip(6, 1, 1000), Skip::Open);
    }
}
