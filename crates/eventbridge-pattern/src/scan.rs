//! A strict JSON scanner: text in, tokens with byte offsets out.
//!
//! It accepts exactly RFC 8259 (no comments, no trailing commas, no `NaN`), keeps the source text
//! of numbers, reports duplicate keys like any other key, and holds no tree: nesting costs one bit
//! of memory a level, never a stack frame.

use std::borrow::Cow;

/// What the scanner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    /// A member's name; its colon is already consumed.
    Key(Cow<'a, str>),
    String(Cow<'a, str>),
    /// The number's source text.
    Number(&'a str),
    True,
    False,
    Null,
    /// The document is complete and only white space followed.
    End,
}

/// What is wrong with the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanError {
    pub(crate) message: String,
    pub(crate) offset: usize,
    pub(crate) too_deep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// Directly after `[`.
    ValueOrEnd,
    /// Directly after `{`.
    KeyOrEnd,
    /// After a member or element.
    CommaOrEnd,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

/// Reads one JSON document.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    start: usize,
    open: Vec<Container>,
    expect: Expect,
    max_depth: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, max_depth: usize) -> Self {
        Scanner {
            text,
            at: 0,
            start: 0,
            open: Vec::new(),
            expect: Expect::Value,
            max_depth,
        }
    }

    /// Byte offset at which the last token starts.
    pub(crate) fn token_start(&self) -> usize {
        self.start
    }

    /// Byte offset after the last token.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error<T>(message: impl Into<String>, offset: usize) -> Result<T, ScanError> {
        Err(ScanError {
            message: message.into(),
            offset,
            too_deep: false,
        })
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, ScanError> {
        match self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
        {
            Some(c) => {
                let message = format!(
                    "Unexpected character ('{c}' (code {})): {wanted}",
                    u32::from(c)
                );
                Self::error(message, self.at)
            }
            None => self.end_of_input(),
        }
    }

    fn end_of_input<T>(&self) -> Result<T, ScanError> {
        let message = match self.open.last() {
            Some(Container::Object) => "Unexpected end-of-input: expected close marker for Object",
            Some(Container::Array) => "Unexpected end-of-input: expected close marker for Array",
            None => "No content to map due to end-of-input",
        };
        Self::error(message, self.text.len())
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, ScanError> {
        self.skip_white();
        if self.expect == Expect::CommaOrEnd {
            match (self.peek(), self.open.last().copied()) {
                (Some(b','), Some(container)) => {
                    self.at += 1;
                    self.skip_white();
                    match container {
                        Container::Object => return self.key(),
                        Container::Array => self.expect = Expect::Value,
                    }
                }
                (Some(b'}' | b']'), _) => return self.close(),
                (_, Some(Container::Object)) => {
                    return self.unexpected("was expecting comma to separate Object entries");
                }
                (_, _) => return self.unexpected("was expecting comma to separate Array entries"),
            }
        }
        match (self.expect, self.peek()) {
            (Expect::KeyOrEnd | Expect::ValueOrEnd, Some(b'}' | b']')) => self.close(),
            (Expect::KeyOrEnd, _) => self.key(),
            (Expect::Done, None) => {
                self.start = self.at;
                Ok(Token::End)
            }
            (Expect::Done, Some(_)) => self.unexpected("nothing may follow the value"),
            (_, _) => self.value(),
        }
    }

    fn key(&mut self) -> Result<Token<'a>, ScanError> {
        self.start = self.at;
        if self.peek() != Some(b'"') {
            return self.unexpected("was expecting double-quote to start field name");
        }
        let name = self.string()?;
        self.skip_white();
        if self.peek() != Some(b':') {
            return self.unexpected("was expecting a colon to separate field name and value");
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token::Key(name))
    }

    fn value(&mut self) -> Result<Token<'a>, ScanError> {
        self.start = self.at;
        let token = match self.peek() {
            Some(b'{') => return self.open(Container::Object),
            Some(b'[') => return self.open(Container::Array),
            Some(b'"') => Token::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Token::Number(self.number()?),
            Some(c) if c.is_ascii_alphabetic() => self.word()?,
            Some(b'}' | b']' | b',') => return self.unexpected("expected a value"),
            Some(_) => {
                return self.unexpected(
                    "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                );
            }
            None => return self.end_of_input(),
        };
        self.after_value();
        Ok(token)
    }

    fn after_value(&mut self) {
        self.expect = if self.open.is_empty() {
            Expect::Done
        } else {
            Expect::CommaOrEnd
        };
    }

    fn open(&mut self, container: Container) -> Result<Token<'a>, ScanError> {
        if self.open.len() >= self.max_depth {
            let message = format!(
                "Document nesting depth exceeds the maximum allowed ({})",
                self.max_depth
            );
            return Err(ScanError {
                message,
                offset: self.at,
                too_deep: true,
            });
        }
        self.open.push(container);
        self.at += 1;
        Ok(match container {
            Container::Object => {
                self.expect = Expect::KeyOrEnd;
                Token::ObjectStart
            }
            Container::Array => {
                self.expect = Expect::ValueOrEnd;
                Token::ArrayStart
            }
        })
    }

    fn close(&mut self) -> Result<Token<'a>, ScanError> {
        self.start = self.at;
        let token = match (self.peek(), self.open.last()) {
            (Some(b'}'), Some(Container::Object)) => Token::ObjectEnd,
            (Some(b']'), Some(Container::Array)) => Token::ArrayEnd,
            (Some(b'}'), _) => {
                return Self::error("Unexpected close marker '}': expected ']'", self.at);
            }
            (_, _) => return Self::error("Unexpected close marker ']': expected '}'", self.at),
        };
        self.open.pop();
        self.at += 1;
        self.after_value();
        Ok(token)
    }

    fn word(&mut self) -> Result<Token<'a>, ScanError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let token = match word {
            "true" => Token::True,
            "false" => Token::False,
            "null" => Token::Null,
            _ => {
                let message = format!(
                    "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
                );
                return Self::error(message, self.at);
            }
        };
        self.at += length;
        Ok(token)
    }

    fn digits(&mut self) -> usize {
        let before = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - before
    }

    fn number(&mut self) -> Result<&'a str, ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        match self.digits() {
            0 => return self.unexpected("in numeric value: expected digit to follow minus sign"),
            1 => {}
            _ if zero => {
                return Self::error(
                    "Invalid numeric value: Leading zeroes not allowed",
                    self.start,
                );
            }
            _ => {}
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.unexpected("in numeric value: Decimal point not followed by a digit");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self
                    .unexpected("in numeric value: Exponent indicator not followed by a digit");
            }
        }
        if matches!(self.peek(), Some(c) if c.is_ascii_alphanumeric() || c == b'.' || c == b'_') {
            return self.unexpected("Expected space separating root-level values");
        }
        Ok(self.text.get(self.start..self.at).unwrap_or_default())
    }

    /// Reads a string; `at` is on its opening quote.
    fn string(&mut self) -> Result<Cow<'a, str>, ScanError> {
        self.at += 1;
        let begin = self.at;
        let mut run = self.at;
        let mut decoded: Option<String> = None;
        loop {
            let Some(byte) = self.peek() else {
                return Self::error(
                    "Unexpected end-of-input: was expecting closing quote for a string value",
                    begin - 1,
                );
            };
            match byte {
                b'"' => {
                    let tail = self.text.get(run..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(tail),
                        Some(mut text) => {
                            text.push_str(tail);
                            Cow::Owned(text)
                        }
                    });
                }
                b'\\' => {
                    let text = decoded.get_or_insert_default();
                    text.push_str(self.text.get(run..self.at).unwrap_or_default());
                    let c = self.escape()?;
                    text.push(c);
                    run = self.at;
                }
                0..=0x1f => {
                    let message = format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {byte})): has to be escaped using backslash to be included in string value"
                    );
                    return Self::error(message, self.at);
                }
                _ => self.at += 1,
            }
        }
    }

    /// Reads an escape; `at` is on its backslash. Half of a surrogate pair becomes `?`, which is
    /// what it is compared as on AWS.
    fn escape(&mut self) -> Result<char, ScanError> {
        let begin = self.at;
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Self::error(
                "Unexpected end-of-input in character escape sequence",
                begin,
            );
        };
        let plain = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return self.unexpected("Unrecognized character escape"),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, ScanError> {
        let unit = self.hex4()?;
        if let Some(c) = char::from_u32(unit) {
            return Ok(c);
        }
        let behind = self.at;
        let is_high = unit < 0xDC00;
        if is_high
            && self
                .text
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with("\\u"))
        {
            self.at += 1;
            let low = self.hex4()?;
            if (0xDC00..0xE000).contains(&low) {
                let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or('?'));
            }
            self.at = behind;
        }
        Ok('?')
    }

    /// Reads four hex digits; `at` is on the `u` before them.
    fn hex4(&mut self) -> Result<u32, ScanError> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return self.unexpected("expected a hex-digit for character escape sequence");
            };
            unit = unit * 16 + digit;
        }
        self.at += 1;
        Ok(unit)
    }
}

/// Appends the decoded form of a string without its quotes.
pub(crate) fn unescape(mut escaped: &str, out: &mut String) -> Result<(), ScanError> {
    while let Some(at) = escaped.find('\\') {
        let (plain, rest) = escaped.split_at(at);
        out.push_str(plain);
        let mut scanner = Scanner::new(rest, 0);
        out.push(scanner.escape()?);
        escaped = rest.get(scanner.at..).unwrap_or_default();
    }
    out.push_str(escaped);
    Ok(())
}

/// Appends `text` as a JSON string with the least escaping.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    write_content(out, text);
    out.push('"');
}

/// Appends `text` escaped as a JSON string, without the quotes.
pub(crate) fn write_content(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < '\u{20}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

/// The document without insignificant white space; number spellings and duplicate keys stay.
pub(crate) fn compact(text: &str, max_depth: usize) -> Result<String, ScanError> {
    let mut scanner = Scanner::new(text, max_depth);
    let mut out = String::with_capacity(text.len());
    let mut separate = false;
    loop {
        let token = scanner.next()?;
        let closing = matches!(token, Token::ObjectEnd | Token::ArrayEnd);
        if separate && !closing && token != Token::End {
            out.push(',');
        }
        separate = true;
        match token {
            Token::ObjectStart => {
                out.push('{');
                separate = false;
            }
            Token::ArrayStart => {
                out.push('[');
                separate = false;
            }
            Token::ObjectEnd => out.push('}'),
            Token::ArrayEnd => out.push(']'),
            Token::Key(name) => {
                write_string(&mut out, &name);
                out.push(':');
                separate = false;
            }
            Token::String(value) => write_string(&mut out, &value),
            Token::Number(number) => out.push_str(number),
            Token::True => out.push_str("true"),
            Token::False => out.push_str("false"),
            Token::Null => out.push_str("null"),
            Token::End => return Ok(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ScanError {
        compact(text, 100).expect_err(text)
    }

    #[test]
    fn compacts_and_keeps_what_matters() {
        let text =
            " { \"a\" : [ 1.0 , 1e0, -0, \"x\\u0041\\n\" ] , \"a\" : null, \"b\": {} , \"c\": [] }";
        assert_eq!(
            compact(text, 10).expect("valid"),
            r#"{"a":[1.0,1e0,-0,"xA\n"],"a":null,"b":{},"c":[]}"#
        );
    }

    #[test]
    fn refuses_what_isnt_json() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "{]",
            "[}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1,]",
            "[,1]",
            "[01]",
            "[1.]",
            "[.5]",
            "[1e]",
            "[-]",
            "[+1]",
            "[NaN]",
            "[nul]",
            "[truex]",
            "['a']",
            "[\"a]",
            "[\"\\x\"]",
            "[\"\\u12\"]",
            "[\"a\nb\"]",
            "{} {}",
            "{}x",
            "{a:1}",
            "[1 2]",
            "/* */{}",
            "\"\\",
            "\"\\u",
            "}",
            "]",
        ] {
            assert!(compact(text, 10).is_err(), "{text:?}");
        }
        assert_eq!(error("{\"a\":[1],}").offset, 9);
        assert!(error(&"[".repeat(101)).too_deep);
    }

    #[test]
    fn surrogates_pair_up_or_become_question_marks() {
        assert_eq!(
            compact(r#""\ud83d\ude00""#, 1).expect("pair"),
            "\"\u{1F600}\""
        );
        assert_eq!(
            compact(r#""\ud83d\u0041""#, 1).expect("high alone"),
            "\"?A\""
        );
        assert_eq!(compact(r#""\ude00x""#, 1).expect("low alone"), "\"?x\"");
    }
}
