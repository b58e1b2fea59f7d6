//! Reads the records of a log file one by one.
//!
//! Supports `{"Records": […]}` as written by a trail and JSON lines, plain or gzipped, detected
//! from the content and not from the name. A file of any size streams through a window about as
//! large as its largest record.

use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;

use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;

use crate::Head;

/// Largest record, in bytes. EventBridge receives none above 256 KB; this limit only bounds memory.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// Largest unpacked content of a gzipped file, in bytes. Trails write at most 50 MB; a file beyond
/// this limit is a decompression bomb.
pub const MAX_UNPACKED: u64 = 64 << 30;

/// Bytes to read at once.
const STEP: usize = 256 << 10;

/// Why a file could not be read completely.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The file can't be read, or its gzip data is truncated or corrupt.
    #[error("can't be read: {0}")]
    Read(#[from] io::Error),
    /// A record is not valid JSON.
    #[error("is not valid JSON in record {record}: {message}")]
    Json {
        /// The record, counted from 1.
        record: u64,
        /// The parser's message.
        message: String,
    },
    /// The file is JSON, but not a log.
    #[error("is not a CloudTrail log: {0}")]
    Foreign(&'static str),
    /// The file ends inside a record or list.
    #[error("is truncated: it ends in record {record}")]
    Truncated {
        /// The record, counted from 1.
        record: u64,
    },
    /// The file has no content.
    #[error("is empty")]
    Empty,
    /// A decompression bomb, or a record without end.
    #[error(
        "contains a record of more than {MAX_RECORD_BYTES} bytes, or more than {MAX_UNPACKED} bytes"
    )]
    TooLarge,
}

/// Reads log files. Reuses its buffers from file to file.
#[derive(Debug, Default)]
pub struct Records {
    window: Vec<u8>,
}

impl Records {
    /// Calls `each` with the head and text of every record until it breaks, and `unpacked` with the
    /// number of bytes after each chunk is unpacked.
    ///
    /// On an error, the records before it have already been passed to `each`.
    pub fn each(
        &mut self,
        mut input: impl Read,
        unpacked: impl FnMut(usize),
        mut each: impl FnMut(&Head<'_>, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RecordsError> {
        let mut magic = Vec::with_capacity(2);
        input.by_ref().take(2).read_to_end(&mut magic)?;
        let packed = magic == [0x1f, 0x8b];
        let input = BufReader::with_capacity(64 << 10, magic.as_slice().chain(input));
        if packed {
            let input = MultiGzDecoder::new(input).take(MAX_UNPACKED);
            self.window(input, unpacked).file(&mut each)
        } else {
            self.window(input, unpacked).file(&mut each)
        }
    }

    fn window<R: Read, F: FnMut(usize)>(&mut self, input: R, unpacked: F) -> Window<'_, R, F> {
        // Releases the memory of a huge record.
        self.window.resize(2 * STEP, 0);
        self.window.shrink_to(2 * STEP);
        Window {
            input,
            unpacked,
            total: 0,
            bytes: &mut self.window,
            start: 0,
            end: 0,
            at_end: false,
            record: 0,
        }
    }
}

/// The part of the file in memory.
struct Window<'a, R, F> {
    input: R,
    unpacked: F,
    total: u64,
    bytes: &'a mut Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    record: u64,
}

impl<R: Read, F: FnMut(usize)> Window<'_, R, F> {
    /// Reads any sequence of `{"Records": […]}` objects and records.
    fn file(
        &mut self,
        each: &mut impl FnMut(&Head<'_>, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RecordsError> {
        if self.peek()?.is_none() {
            return Err(RecordsError::Empty);
        }
        while let Some(byte) = self.peek()? {
            if byte != b'{' {
                return Err(RecordsError::Foreign(
                    "neither {\"Records\": […]} nor a record",
                ));
            }
            let more = match self.opening()? {
                Some(length) => {
                    self.start += length;
                    self.list(each)?
                }
                None => self.one(each)?,
            };
            if more.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads the records after `{"Records": [` and the rest of that object.
    fn list(
        &mut self,
        each: &mut impl FnMut(&Head<'_>, &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RecordsError> {
        let mut first = true;
        loop {
            match (self.expect()?, first) {
                (b']', _) => break,
                (b',', false) => self.start += 1,
                (_, true) => {}
                (_, false) => return Err(self.wrong("expected `,` or `]` after it")),
            }
            first = false;
            if self.expect()? != b'{' {
                return Err(RecordsError::Foreign("a record is not an object"));
            }
            if self.one(each)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.start += 1;
        loop {
            match self.expect()? {
                b'}' => break,
                b',' => {
                    self.start += 1;
                    self.skip(b'"')?;
                    self.skip(b':')?;
                }
                _ => return Err(self.wrong("expected `}` after the records")),
            }
        }
        self.start += 1;
        Ok(ControlFlow::Continue(()))
    }

    /// Skips a key, or a colon and the value after it.
    fn skip(&mut self, first: u8) -> Result<(), RecordsError> {
        if self.expect()? != first {
            return Err(self.wrong("expected another member after the records"));
        }
        if first == b':' {
            self.start += 1;
            self.expect()?;
        }
        let mut last = None;
        loop {
            let text = self.bytes.get(self.start..self.end).unwrap_or_default();
            let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
            let fault = match values.next() {
                Some(Ok(_)) => {
                    self.start += values.byte_offset();
                    return Ok(());
                }
                Some(Err(error)) if !error.is_eof() => Some(error),
                Some(Err(_)) | None => None,
            };
            last = self.more_or(fault, last)?;
        }
    }

    /// Reads one record. If it is incomplete, the window reads more of the file.
    fn one(
        &mut self,
        each: &mut impl FnMut(&Head<'_>, &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RecordsError> {
        self.record += 1;
        let mut last = None;
        loop {
            let text = self.bytes.get(self.start..self.end).unwrap_or_default();
            let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Head<'_>>();
            let fault = match values.next() {
                Some(Ok(head)) => {
                    let length = values.byte_offset();
                    let more = each(&head, text.get(..length).unwrap_or_default());
                    self.start += length;
                    return Ok(more);
                }
                Some(Err(error)) if !error.is_eof() => Some(error),
                Some(Err(_)) | None => None,
            };
            last = self.more_or(fault, last)?;
        }
    }

    /// Reads more, unless more text can't repair the error; returns the error's position.
    ///
    /// A number cut by the window, such as `24.` of `24.5`, is an error until the rest arrives. So
    /// an error counts only if it persists at the same position after reading more.
    fn more_or(
        &mut self,
        fault: Option<serde_json::Error>,
        last: Option<(usize, usize)>,
    ) -> Result<Option<(usize, usize)>, RecordsError> {
        let position = fault.as_ref().map(|fault| (fault.line(), fault.column()));
        let is_real = position.is_some() && position == last;
        if !is_real && self.fill()? {
            return Ok(position);
        }
        Err(match fault {
            Some(fault) => self.wrong(&fault.to_string()),
            None => RecordsError::Truncated {
                record: self.record,
            },
        })
    }

    /// The length of `{"Records": [`, white space included, if the window starts with it.
    fn opening(&mut self) -> Result<Option<usize>, RecordsError> {
        while self.end - self.start < 256 && self.fill()? {}
        let text = self.bytes.get(self.start..self.end).unwrap_or_default();
        let mut rest = text;
        for token in [&b"{"[..], b"\"Records\"", b":", b"["] {
            match rest.trim_ascii_start().strip_prefix(token) {
                Some(behind) => rest = behind,
                None => return Ok(None),
            }
        }
        Ok(Some(text.len() - rest.len()))
    }

    /// The next byte that isn't white space; `None` at the end of the file.
    fn peek(&mut self) -> Result<Option<u8>, RecordsError> {
        loop {
            let text = self.bytes.get(self.start..self.end).unwrap_or_default();
            let spaces = text.len() - text.trim_ascii_start().len();
            self.start += spaces;
            if let Some(byte) = text.get(spaces) {
                return Ok(Some(*byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The next byte that isn't white space; an error at the end of the file.
    fn expect(&mut self) -> Result<u8, RecordsError> {
        self.peek()?.ok_or(RecordsError::Truncated {
            record: self.record,
        })
    }

    /// Reads more into the window; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, RecordsError> {
        if self.at_end {
            return Ok(false);
        }
        if self.bytes.len() - self.end < STEP / 2 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            // A record that fills half of the window needs a larger window.
            if self.end > self.bytes.len() / 2 {
                if self.bytes.len() > MAX_RECORD_BYTES {
                    return Err(RecordsError::TooLarge);
                }
                self.bytes.resize(2 * self.bytes.len(), 0);
            }
        }
        let free = self.bytes.get_mut(self.end..).unwrap_or_default();
        let length = self.input.read(free)?;
        self.end += length;
        self.total += length as u64;
        self.at_end = length == 0;
        (self.unpacked)(length);
        if self.total >= MAX_UNPACKED {
            return Err(RecordsError::TooLarge);
        }
        Ok(!self.at_end)
    }

    fn wrong(&self, message: &str) -> RecordsError {
        RecordsError::Json {
            record: self.record,
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Returns a few bytes at a time, as a network might.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len());
            Read::read(&mut self.0, &mut buffer[..length])
        }
    }

    fn read(content: &[u8]) -> (Vec<String>, Result<(), RecordsError>) {
        let mut all = Vec::new();
        for step in [1, 7, usize::MAX] {
            let mut records = Vec::new();
            let result = Records::default().each(
                Slow(content, step),
                |_| (),
                |_, text| {
                    records.push(String::from_utf8_lossy(text).into_owned());
                    ControlFlow::Continue(())
                },
            );
            all.push((records, result));
        }
        let (records, result) = all.pop().unwrap();
        for (others, other) in all {
            assert_eq!(
                (others, format!("{other:?}")),
                (records.clone(), format!("{result:?}"))
            );
        }
        (records, result)
    }

    fn pack(text: &str) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn reads_a_trails_file_plain_and_packed_whatever_its_layout() {
        let text = "{\n \"Records\" : [ {\"a\":\"]},{\"} , {\"a\":[2]}\n], \"more\": {\"x\": [1]}, \"n\": 12 }\n";
        for content in [text.as_bytes().to_vec(), pack(text)] {
            let (records, result) = read(&content);
            result.unwrap();
            assert_eq!(records, [r#"{"a":"]},{"}"#, r#"{"a":[2]}"#]);
        }
        let text =
            r#"{"Records":[{"a":-243.5e+10,"b":0.25},{"c":[1E-2,true,null,"\u00e9"]}],"d":1.5}"#;
        let (records, result) = read(text.as_bytes());
        result.unwrap();
        assert_eq!(records.len(), 2);
        let (records, result) = read(b"{\"Records\":[]}");
        result.unwrap();
        assert!(records.is_empty());
    }

    #[test]
    fn reads_lines_and_files_of_several_gzip_members() {
        let mut content = pack("{\"a\":1}\n");
        content.extend(pack("\n{\"a\":2}{\"Records\":[{\"a\":3}]}"));
        let (records, result) = read(&content);
        result.unwrap();
        assert_eq!(records, ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
    }

    #[test]
    fn a_record_larger_than_the_window_is_read() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
        let text = format!("{{\"Records\":[{large},{{}}]}}");
        let mut lengths = Vec::new();
        let mut reader = Records::default();
        let each = |_: &Head<'_>, text: &[u8]| {
            lengths.push(text.len());
            ControlFlow::Continue(())
        };
        reader.each(text.as_bytes(), |_| (), each).unwrap();
        assert_eq!(lengths, [large.len(), 2]);
        let endless = Read::chain(&b"{\"a\":\""[..], io::repeat(b'x'));
        let result = reader.each(endless, |_| (), |_, _| ControlFlow::Continue(()));
        assert!(matches!(result, Err(RecordsError::TooLarge)));
    }

    #[test]
    fn truncated_files_are_errors_and_earlier_records_count() {
        let text = format!(
            "{{\"Records\":[{{}},{{\"a\":[{}]}}]}}",
            "1,".repeat(999) + "1"
        );
        for length in [11, 12, 13, 14, 500, text.len() - 2, text.len() - 1] {
            let (records, result) = read(&text.as_bytes()[..length]);
            assert!(
                matches!(result, Err(RecordsError::Truncated { .. })),
                "{length}: {result:?}"
            );
            assert_eq!(records.is_empty(), length < 14, "{length}");
        }
        let mut content = pack(&text);
        content.truncate(content.len() / 2);
        assert!(matches!(read(&content).1, Err(RecordsError::Read(_))));
    }

    #[test]
    fn foreign_files_are_rejected() {
        for (content, says) in [
            (&b"[1,2]"[..], "is not a CloudTrail log"),
            (b"not a log", "is not a CloudTrail log"),
            (b"{\"Records\":[1]}", "a record is not an object"),
            (b"{\"Records\":[{} {}]}", "in record 1: expected `,`"),
            (b"{\"Records\":[{},{]}", "not valid JSON in record 2"),
            (b"\x1f\x8bgarbage of some length", "can't be read"),
            (b" \n", "is empty"),
        ] {
            let error = read(content).1.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
