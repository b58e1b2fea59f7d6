//! From a pattern's text to its alternatives, with every check the service makes on the way.
//!
//! The grammar and the wording of the refusals follow `EventBridge` (the engine behind it is
//! <https://github.com/aws/event-ruler>); `$or` is expanded in document order while parsing,
//! because what a later field overrides depends on that order.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::error::{PatternError, PatternErrorKind};
use crate::pattern::{Alternative, Field, Limits};
use crate::scan::{ScanError, Scanner, Token, compact};
use crate::term::{Term, TermList};
use crate::term_parse::item;

/// Deeper nesting than any pattern within the size quota can have.
pub(crate) const MAX_DEPTH: usize = 500;

/// Distinct paths of one alternative.
const MAX_FIELDS: usize = 256;

/// Names that can't be fields inside `$or`.
const RESERVED_IN_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// Whether the service refuses a field of this name inside `$or`.
pub(crate) fn is_reserved_in_or(name: &str) -> bool {
    RESERVED_IN_OR.contains(&name)
}

/// What parsing yields.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) overridden: BTreeSet<String>,
    /// The position of the first wildcard operand.
    pub(crate) first_wildcard: Option<Position>,
}

/// A place in the pattern's text.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) pointer: String,
    pub(crate) offset: usize,
}

impl Position {
    /// An error at this place.
    pub(crate) fn error(
        self,
        text: &str,
        kind: PatternErrorKind,
        message: impl Into<String>,
    ) -> PatternError {
        let before = text.get(..self.offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        PatternError {
            kind,
            message: message.into(),
            pointer: self.pointer,
            offset: self.offset,
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

/// Alternatives under construction: per alternative, indices of paths and of lists.
type Drafts = Vec<Vec<(usize, usize)>>;

/// The parser's state.
pub(crate) struct Parser<'a> {
    text: &'a str,
    pub(crate) scanner: Scanner<'a>,
    /// The JSON pointer of the member being read, one entry a step, already escaped.
    pointer: Vec<String>,
    /// Field names from the root to here.
    names: Vec<String>,
    paths: Vec<String>,
    path_ids: HashMap<String, usize>,
    lists: Vec<Arc<TermList>>,
    overridden: BTreeSet<usize>,
    first_or: Option<Position>,
    first_wildcard: Option<Position>,
    max_drafts: usize,
    too_many: bool,
    /// The text is too long by any measure: check it, but build nothing.
    check_only: bool,
}

/// Parses and checks a pattern, all but the wildcards' complexity.
pub(crate) fn parse(text: &str, limits: &Limits) -> Result<(String, Parsed), PatternError> {
    let mut parser = Parser {
        text,
        scanner: Scanner::new(text, MAX_DEPTH),
        pointer: Vec::new(),
        names: Vec::new(),
        paths: Vec::new(),
        path_ids: HashMap::new(),
        lists: Vec::new(),
        overridden: BTreeSet::new(),
        first_or: None,
        first_wildcard: None,
        max_drafts: limits.combinations,
        too_many: false,
        check_only: least_length(text) > limits.characters,
    };
    if text.trim().is_empty() || parser.next()? != Token::ObjectStart {
        return parser.refuse("Filter is not an object");
    }
    let mut drafts = Vec::new();
    parser.object(&mut drafts, false)?;
    parser.next()?;
    let compact = compact(text, MAX_DEPTH).map_err(|error| parser.syntax(error))?;
    let root = Position {
        pointer: String::new(),
        offset: 0,
    };
    let length = compact.chars().count();
    if length > limits.characters {
        let message = format!(
            "Value at 'eventPattern' failed to satisfy constraint: Member must have length less than or equal to {} (it has {length})",
            limits.characters
        );
        return Err(root.error(text, PatternErrorKind::TooLong, message));
    }
    if parser.too_many {
        let message = format!(
            "Event pattern has more than {} $or combinations",
            limits.combinations
        );
        return Err(parser.first_or.unwrap_or(root).error(
            text,
            PatternErrorKind::TooManyCombinations,
            message,
        ));
    }
    if drafts.iter().any(|draft| draft.len() > MAX_FIELDS) {
        let message = format!("Size of rule exceeds max value of {MAX_FIELDS}");
        return Err(root.error(text, PatternErrorKind::Refused, message));
    }
    Ok((compact, parser.finish(&drafts)))
}

/// A lower bound for the length of the compact text: what isn't white space outside of strings, with
/// each escape taken for the six characters it has at most.
fn least_length(text: &str) -> usize {
    let (mut in_string, mut escaped, mut count) = (false, false, 0_usize);
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            in_string = byte == b'"';
        }
        let is_white = !in_string && byte.is_ascii_whitespace();
        let continues = byte & 0xC0 == 0x80;
        count += usize::from(!is_white && !continues);
    }
    count / 6
}

impl<'a> Parser<'a> {
    pub(crate) fn next(&mut self) -> Result<Token<'a>, PatternError> {
        self.scanner.next().map_err(|error| self.syntax(error))
    }

    fn syntax(&self, error: ScanError) -> PatternError {
        let kind = if error.too_deep {
            PatternErrorKind::TooDeep
        } else {
            PatternErrorKind::Syntax
        };
        Position {
            pointer: self.pointer.concat(),
            offset: error.offset,
        }
        .error(self.text, kind, error.message)
    }

    /// The position of the last token.
    pub(crate) fn position(&self) -> Position {
        Position {
            pointer: self.pointer.concat(),
            offset: self.scanner.token_start(),
        }
    }

    /// Refuses the pattern at the last token.
    pub(crate) fn refuse<T>(&self, message: impl Into<String>) -> Result<T, PatternError> {
        Err(self
            .position()
            .error(self.text, PatternErrorKind::Refused, message))
    }

    /// A refusal at an earlier place.
    pub(crate) fn refusal_at(
        &self,
        position: Position,
        message: impl Into<String>,
    ) -> PatternError {
        position.error(self.text, PatternErrorKind::Refused, message)
    }

    /// Remembers the position of the last token if it is the first wildcard operand.
    pub(crate) fn note_wildcard(&mut self) {
        if self.first_wildcard.is_none() {
            self.first_wildcard = Some(self.position());
        }
    }

    /// Steps into a member or element of the JSON pointer.
    pub(crate) fn enter(&mut self, step: &str) {
        self.pointer
            .push(format!("/{}", step.replace('~', "~0").replace('/', "~1")));
    }

    pub(crate) fn leave(&mut self) {
        self.pointer.pop();
    }

    /// Reads an object's members; its opening brace is consumed.
    fn object(&mut self, drafts: &mut Drafts, inside_or: bool) -> Result<(), PatternError> {
        let mut is_empty = true;
        loop {
            let name = match self.next()? {
                Token::Key(name) => name,
                _ if is_empty => return self.refuse("Empty objects are not allowed"),
                _ => return Ok(()),
            };
            is_empty = false;
            self.enter(&name);
            self.member(&name, drafts, inside_or)?;
            self.leave();
        }
    }

    fn member(
        &mut self,
        name: &str,
        drafts: &mut Drafts,
        inside_or: bool,
    ) -> Result<(), PatternError> {
        if name == "$or" {
            return self.or(drafts);
        }
        if inside_or && is_reserved_in_or(name) {
            return self.refuse(format!(
                "{name} is Ruler reserved fieldName which cannot be used inside $or."
            ));
        }
        match self.next()? {
            Token::ObjectStart => {
                self.names.push(name.to_owned());
                self.object(drafts, inside_or)?;
                self.names.pop();
                Ok(())
            }
            Token::ArrayStart => self.list(name, drafts),
            _ => self.refuse(format!("\"{name}\" must be an object or an array")),
        }
    }

    fn or(&mut self, drafts: &mut Drafts) -> Result<(), PatternError> {
        if self.first_or.is_none() {
            self.first_or = Some(self.position());
        }
        if self.next()? != Token::ArrayStart {
            return self.refuse("It must be an Array followed with $or.");
        }
        let before = std::mem::take(drafts);
        let mut branches = 0;
        loop {
            match self.next()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => {
                    let mut branch = if before.is_empty() {
                        vec![Vec::new()]
                    } else {
                        before.clone()
                    };
                    self.enter(&branches.to_string());
                    self.object(&mut branch, true)?;
                    self.leave();
                    drafts.append(&mut branch);
                    if drafts.len() > self.max_drafts {
                        self.too_many = true;
                        drafts.truncate(1);
                    }
                }
                _ => {
                    return self
                        .refuse("Only JSON object is allowed in array of $or relationship.");
                }
            }
            branches += 1;
        }
        if branches < 2 {
            return self.refuse("There must have at least 2 Objects in $or relationship.");
        }
        Ok(())
    }

    /// Reads a field's list; its opening bracket is consumed.
    fn list(&mut self, name: &str, drafts: &mut Drafts) -> Result<(), PatternError> {
        let mut terms: Vec<Term> = Vec::new();
        let mut sources = Vec::new();
        loop {
            let token = self.next()?;
            if token == Token::ArrayEnd {
                break;
            }
            let start = self.scanner.token_start();
            self.enter(&terms.len().to_string());
            terms.push(item(self, token)?);
            self.leave();
            if self.check_only {
                continue;
            }
            let source = self
                .text
                .get(start..self.scanner.position())
                .unwrap_or_default();
            sources.push(compact(source, MAX_DEPTH).map_err(|error| self.syntax(error))?);
        }
        if terms.is_empty() {
            return self.refuse("Empty arrays are not allowed");
        }
        if self.check_only {
            return Ok(());
        }
        let list = self.lists.len();
        self.lists.push(Arc::new(TermList::new(terms, sources)));
        let path = self.path_id(name);
        if drafts.is_empty() {
            drafts.push(Vec::new());
        }
        for draft in drafts {
            match draft.iter_mut().find(|(known, _)| *known == path) {
                Some(field) => {
                    field.1 = list;
                    self.overridden.insert(path);
                }
                None => draft.push((path, list)),
            }
        }
        Ok(())
    }

    fn path_id(&mut self, name: &str) -> usize {
        let base = self.names.join(".");
        let path = if base.is_empty() {
            name.to_owned()
        } else {
            format!("{base}.{name}")
        };
        *self.path_ids.entry(path).or_insert_with_key(|path| {
            self.paths.push(path.clone());
            self.paths.len() - 1
        })
    }

    fn finish(self, drafts: &Drafts) -> Parsed {
        let paths: Vec<Arc<str>> = self
            .paths
            .iter()
            .map(|path| Arc::from(path.as_str()))
            .collect();
        let field = |(path, list): &(usize, usize)| {
            Some(Field {
                path: Arc::clone(paths.get(*path)?),
                list: Arc::clone(self.lists.get(*list)?),
            })
        };
        let mut alternatives: Vec<Alternative> = drafts
            .iter()
            .map(|draft| Alternative::new(draft.iter().filter_map(field).collect()))
            .collect();
        // Which steps of an event are visible is a property of the whole pattern.
        let uses_empty_step = alternatives
            .iter()
            .any(|alternative| alternative.uses_empty_step);
        for alternative in &mut alternatives {
            alternative.uses_empty_step = uses_empty_step;
        }
        let overridden = self
            .overridden
            .iter()
            .filter_map(|path| self.paths.get(*path).cloned())
            .collect();
        Parsed {
            alternatives,
            overridden,
            first_wildcard: self.first_wildcard,
        }
    }
}
