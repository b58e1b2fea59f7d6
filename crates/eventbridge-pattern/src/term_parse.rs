//! Parsing of one item of a field's list.

use crate::address::{self, Range};
use crate::error::PatternError;
use crate::fold::Folded;
use crate::number::comparable;
use crate::parse::Parser;
use crate::scan::Token;
use crate::term::{Bound, Except, Literal, Term};
use crate::wildcard::Wildcard;

const ONE_KEY: &str = "Only one key allowed in match expression";
const TOO_MANY: &str = "Too many elements in numeric expression";

/// Reads an item whose first token was just consumed.
pub(crate) fn item(parser: &mut Parser<'_>, token: Token<'_>) -> Result<Term, PatternError> {
    Ok(match token {
        Token::String(text) => match address::literal(text.as_bytes()) {
            Some(digits) => Term::Address(Range::single(digits)),
            None => Term::Text(text.into_owned()),
        },
        Token::Number(text) => Term::Number(text.to_owned(), comparable(text)),
        Token::True => Term::Literal(Literal::True),
        Token::False => Term::Literal(Literal::False),
        Token::Null => Term::Literal(Literal::Null),
        Token::ObjectStart => match parser.next()? {
            Token::Key(operator) => {
                parser.enter(&operator);
                let term = expression(parser, &operator)?;
                parser.leave();
                term
            }
            _ => return parser.refuse("Match expression name not found"),
        },
        _ => return parser.refuse("Match value must be String, number, true, false, or null"),
    })
}

/// Reads a match expression, after its name, up to its closing brace.
fn expression(parser: &mut Parser<'_>, operator: &str) -> Result<Term, PatternError> {
    match operator {
        "exactly" => simple(parser, "exact", |_, text| Ok(Term::Text(text))),
        "prefix" => affix(parser, "prefix", "Prefix", Term::Prefix, Term::FoldedPrefix),
        "suffix" => affix(parser, "suffix", "Suffix", Term::Suffix, Term::FoldedSuffix),
        "equals-ignore-case" => simple(parser, "equals-ignore-case", |_, text| {
            Ok(Term::Folded(Folded::new(&text)))
        }),
        "wildcard" => simple(parser, "wildcard", |parser, text| {
            Ok(Term::Wildcard(wildcard(parser, &text)?))
        }),
        // The service says "prefix" here too.
        "cidr" => simple(parser, "prefix", |parser, text| match Range::cidr(&text) {
            Ok(range) => Ok(Term::Address(range)),
            Err(message) => parser.refuse(message),
        }),
        "numeric" => numeric(parser),
        "anything-but" => anything_but(parser),
        "exists" => {
            let term = match parser.next()? {
                Token::True => Term::Exists,
                Token::False => Term::Absent,
                _ => return parser.refuse("exists match pattern must be either true or false."),
            };
            close(parser, ONE_KEY)?;
            Ok(term)
        }
        _ => parser.refuse(format!("Unrecognized match type {operator}")),
    }
}

fn close(parser: &mut Parser<'_>, message: &str) -> Result<(), PatternError> {
    match parser.next()? {
        Token::ObjectEnd => Ok(()),
        _ => parser.refuse(message),
    }
}

fn text(parser: &mut Parser<'_>, kind: &str) -> Result<String, PatternError> {
    match parser.next()? {
        Token::String(text) => Ok(text.into_owned()),
        _ => parser.refuse(format!("{kind} match pattern must be a string")),
    }
}

fn simple(
    parser: &mut Parser<'_>,
    kind: &str,
    build: impl FnOnce(&mut Parser<'_>, String) -> Result<Term, PatternError>,
) -> Result<Term, PatternError> {
    let text = text(parser, kind)?;
    let term = build(parser, text)?;
    close(parser, ONE_KEY)?;
    Ok(term)
}

fn affix(
    parser: &mut Parser<'_>,
    kind: &str,
    title: &str,
    plain: fn(String) -> Term,
    folded: fn(Folded) -> Term,
) -> Result<Term, PatternError> {
    let term = match parser.next()? {
        Token::String(text) => plain(text.into_owned()),
        Token::ObjectStart => {
            match parser.next()? {
                Token::Key(name) if name == "equals-ignore-case" => {}
                Token::Key(name) => {
                    return parser.refuse(format!("Unsupported {kind} pattern: {name}"));
                }
                _ => return parser.refuse(format!("{title} expression name not found")),
            }
            let text = text(parser, "equals-ignore-case")?;
            close(parser, ONE_KEY)?;
            folded(Folded::new(&text))
        }
        _ => return parser.refuse(format!("{kind} match pattern must be a string")),
    };
    close(parser, ONE_KEY)?;
    Ok(term)
}

fn wildcard(parser: &mut Parser<'_>, operand: &str) -> Result<Wildcard, PatternError> {
    parser.note_wildcard();
    Wildcard::new(operand).or_else(|message| parser.refuse(message))
}

/// How the service names a token in its messages.
fn shown(token: &Token<'_>) -> String {
    match token {
        Token::ObjectStart => "{".to_owned(),
        Token::ObjectEnd => "}".to_owned(),
        Token::ArrayStart => "[".to_owned(),
        Token::ArrayEnd => "]".to_owned(),
        Token::Key(text) | Token::String(text) => text.to_string(),
        Token::Number(text) => (*text).to_owned(),
        Token::True => "true".to_owned(),
        Token::False => "false".to_owned(),
        Token::Null => "null".to_owned(),
        Token::End => String::new(),
    }
}

fn cannot_compare<T>(parser: &Parser<'_>, number: &str) -> Result<T, PatternError> {
    parser.refuse(format!("Cannot compare number : {number}"))
}

fn numeric(parser: &mut Parser<'_>) -> Result<Term, PatternError> {
    if parser.next()? != Token::ArrayStart {
        return parser.refuse("Value of numeric must be an array.");
    }
    let operator = match parser.next()? {
        Token::String(operator) => operator,
        token => {
            return parser.refuse(format!(
                "Invalid member in numeric match: {}",
                shown(&token)
            ));
        }
    };
    let name = match operator.as_ref() {
        "=" => "equals",
        "<" | "<=" | ">" | ">=" => operator.as_ref(),
        _ => {
            // The service reads the next element before it checks the operator.
            let position = parser.position();
            parser.next()?;
            return Err(parser.refusal_at(
                position,
                format!("Unrecognized numeric range operator: {operator}"),
            ));
        }
    };
    let (text, value) = operand(parser, name)?;
    let bound = |value, inclusive| Some(Bound { value, inclusive });
    let term = match operator.as_ref() {
        ">" | ">=" => match parser.next()? {
            Token::ArrayEnd => {
                let Some(low) = value else {
                    return cannot_compare(parser, text);
                };
                Term::Numeric(bound(low, operator == ">="), None)
            }
            Token::String(second) => {
                if second != "<" && second != "<=" {
                    return parser.refuse(format!("Bad numeric range operator: {second}"));
                }
                let (top_text, top) = operand(parser, &second)?;
                end_list(parser, "Too many terms in numeric range expression")?;
                let Some(low) = value else {
                    return cannot_compare(parser, text);
                };
                let Some(high) = top else {
                    return cannot_compare(parser, top_text);
                };
                if low >= high {
                    return parser.refuse("Bottom must be less than top");
                }
                Term::Numeric(bound(low, operator == ">="), bound(high, second == "<="))
            }
            token => {
                return parser.refuse(format!("Bad value in numeric range: {}", shown(&token)));
            }
        },
        _ => {
            end_list(parser, TOO_MANY)?;
            let Some(value) = value else {
                return cannot_compare(parser, text);
            };
            match operator.as_ref() {
                "=" => Term::Numeric(bound(value, true), bound(value, true)),
                operator => Term::Numeric(None, bound(value, operator == "<=")),
            }
        }
    };
    close(parser, TOO_MANY)?;
    Ok(term)
}

fn operand<'a>(
    parser: &mut Parser<'a>,
    operator: &str,
) -> Result<(&'a str, Option<f64>), PatternError> {
    match parser.next()? {
        Token::Number(text) => Ok((text, comparable(text))),
        _ => parser.refuse(format!("Value of {operator} must be numeric")),
    }
}

fn end_list(parser: &mut Parser<'_>, message: &str) -> Result<(), PatternError> {
    match parser.next()? {
        Token::ArrayEnd => Ok(()),
        _ => parser.refuse(message),
    }
}

const OPERAND: &str = "Value of anything-but must be an array or single string/number value.";

fn anything_but(parser: &mut Parser<'_>) -> Result<Term, PatternError> {
    let except = match parser.next()? {
        Token::ObjectStart => {
            let Token::Key(name) = parser.next()? else {
                return parser.refuse("Anything-But expression name not found");
            };
            let except = match name.as_ref() {
                "prefix" => Except::Prefixes(affixes(parser, &name)?),
                "suffix" => Except::Suffixes(affixes(parser, &name)?),
                "equals-ignore-case" => {
                    let wrong = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.";
                    let operands =
                        operands(parser, &name, wrong, |_, text| Ok(Folded::new(&text)))?;
                    Except::Folded(operands)
                }
                "wildcard" => {
                    let wrong = "wildcard match pattern must be a string";
                    Except::Wildcards(operands(parser, &name, wrong, |parser, text| {
                        wildcard(parser, &text)
                    })?)
                }
                _ => return parser.refuse(format!("Unsupported anything-but pattern: {name}")),
            };
            close(parser, TOO_MANY)?;
            except
        }
        Token::String(text) => Except::Texts(vec![text.into_owned()]),
        Token::Number(text) => match comparable(text) {
            Some(number) => Except::Numbers(vec![number]),
            None => return cannot_compare(parser, text),
        },
        Token::ArrayStart => list(parser)?,
        _ => return parser.refuse(OPERAND),
    };
    close(parser, TOO_MANY)?;
    Ok(Term::Not(except))
}

fn list(parser: &mut Parser<'_>) -> Result<Except, PatternError> {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    loop {
        match parser.next()? {
            Token::String(text) => texts.push(text.into_owned()),
            Token::Number(text) => match comparable(text) {
                Some(number) => numbers.push(number),
                None => return cannot_compare(parser, text),
            },
            Token::ArrayEnd => break,
            _ => {
                return parser
                    .refuse("Inside anything but list, start|null|boolean is not supported.");
            }
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, true) => Ok(Except::Texts(texts)),
        (true, false) => Ok(Except::Numbers(numbers)),
        _ => parser.refuse(
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
    }
}

fn affixes(parser: &mut Parser<'_>, name: &str) -> Result<Vec<String>, PatternError> {
    let wrong = "prefix/suffix match pattern must be a string";
    operands(parser, name, wrong, |parser, text| {
        if text.is_empty() {
            parser.refuse("Null prefix/suffix not allowed")
        } else {
            Ok(text)
        }
    })
}

/// Reads one string or a list of them. The service fails internally on an empty list; this says why.
fn operands<T>(
    parser: &mut Parser<'_>,
    name: &str,
    wrong: &str,
    mut build: impl FnMut(&mut Parser<'_>, String) -> Result<T, PatternError>,
) -> Result<Vec<T>, PatternError> {
    match parser.next()? {
        Token::String(text) => Ok(vec![build(parser, text.into_owned())?]),
        Token::Number(_) => parser.refuse(wrong),
        Token::ArrayStart => {
            let mut all = Vec::new();
            loop {
                match parser.next()? {
                    Token::String(text) => all.push(build(parser, text.into_owned())?),
                    Token::ArrayEnd if all.is_empty() => {
                        return parser.refuse(format!(
                            "Inside anything-but/{name} list, at least one value is needed"
                        ));
                    }
                    Token::ArrayEnd => return Ok(all),
                    _ => return parser.refuse(wrong),
                }
            }
        }
        _ => parser.refuse(OPERAND),
    }
}
