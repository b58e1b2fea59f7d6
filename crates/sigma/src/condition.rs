//! Parses the condition, which joins selections.

/// Longest condition, in bytes.
const MAX_LENGTH: usize = 4096;
/// Deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 64;

/// The syntax tree of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// A selection, by name.
    Selection(String),
    /// `1 of x*`, `all of them`.
    Quantified {
        all: bool,
        names: Names,
    },
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

/// Which selections a quantifier covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// All selections whose name doesn't start with `_`.
    Them,
    /// Selections whose name matches; `*` is any text.
    Like(String),
}

/// Why a text is not a condition, and how to correct it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadCondition {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

const GRAMMAR: &str = "a condition joins names of selections with `and`, `or`, `not`, parentheses, `1 of x*` and `all of x*`";
const NO_COUNTING: &str = "EventBridge evaluates one event at a time; for counting use a metric filter on the trail's log group \
     and a CloudWatch alarm, or import the rule without its aggregation and set a `budget`";

/// Parses a condition.
pub(crate) fn parse(text: &str) -> Result<Condition, BadCondition> {
    if text.len() > MAX_LENGTH {
        return Err(bad(format!(
            "the condition has {} bytes, more than {MAX_LENGTH}",
            text.len()
        )));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    let condition = parser.or(0)?;
    match parser.peek() {
        None => Ok(condition),
        Some(token) => Err(bad(format!(
            "`{token}` is unexpected: the condition should end here"
        ))),
    }
}

fn bad(message: String) -> BadCondition {
    BadCondition {
        code: "sigma::condition",
        message,
        help: GRAMMAR,
    }
}

fn tokens(text: &str) -> Result<Vec<String>, BadCondition> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        let joins = c.is_alphanumeric() || matches!(c, '_' | '*' | '-' | '.' | '?');
        if joins {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        match c {
            '(' | ')' => tokens.push(c.to_string()),
            '|' => {
                return Err(BadCondition {
                    code: "sigma::aggregation",
                    message: "the condition counts events".to_owned(),
                    help: NO_COUNTING,
                });
            }
            c if c.is_whitespace() => {}
            c => return Err(bad(format!("`{c}` is not allowed in a condition"))),
        }
    }
    if tokens
        .iter()
        .any(|token| token.eq_ignore_ascii_case("near"))
    {
        return Err(BadCondition {
            code: "sigma::aggregation",
            message: "the condition looks for events near each other".to_owned(),
            help: NO_COUNTING,
        });
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [String],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<&str> {
        let token = self.tokens.get(self.at).map(String::as_str);
        self.at += 1;
        token
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|token| token.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn or(&mut self, depth: usize) -> Result<Condition, BadCondition> {
        self.joined(depth, "or", Condition::Or, Self::and)
    }

    fn and(&mut self, depth: usize) -> Result<Condition, BadCondition> {
        self.joined(depth, "and", Condition::And, Self::not)
    }

    fn joined(
        &mut self,
        depth: usize,
        word: &str,
        join: fn(Vec<Condition>) -> Condition,
        operand: fn(&mut Self, usize) -> Result<Condition, BadCondition>,
    ) -> Result<Condition, BadCondition> {
        let first = operand(self, depth)?;
        if !self.take(word) {
            return Ok(first);
        }
        let mut all = vec![first, operand(self, depth)?];
        while self.take(word) {
            all.push(operand(self, depth)?);
        }
        Ok(join(all))
    }

    fn not(&mut self, depth: usize) -> Result<Condition, BadCondition> {
        if depth > MAX_DEPTH {
            return Err(bad(format!(
                "the condition is nested more than {MAX_DEPTH} levels deep"
            )));
        }
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.take("(") {
            let inside = self.or(depth + 1)?;
            return if self.take(")") {
                Ok(inside)
            } else {
                Err(bad("a parenthesis is not closed".to_owned()))
            };
        }
        let second = self.tokens.get(self.at + 1);
        let quantified = second.is_some_and(|token| token.eq_ignore_ascii_case("of"));
        match self.next() {
            Some(word) if quantified => {
                let all = match word.to_ascii_lowercase().as_str() {
                    "all" => true,
                    "1" | "any" => false,
                    other => {
                        return Err(bad(format!(
                            "`{other} of` is not a quantifier; use `1 of` or `all of`"
                        )));
                    }
                };
                self.at += 1;
                self.names(all)
            }
            Some(word) if !is_keyword(word) => Ok(Condition::Selection(word.to_owned())),
            Some(word) => Err(bad(format!(
                "`{word}` is unexpected: expected the name of a selection"
            ))),
            None => Err(bad(
                "the condition ends where a selection is expected".to_owned()
            )),
        }
    }

    fn names(&mut self, all: bool) -> Result<Condition, BadCondition> {
        let names = match self.next() {
            Some(word) if word.eq_ignore_ascii_case("them") => Names::Them,
            Some(word) if !is_keyword(word) => Names::Like(word.to_owned()),
            _ => return Err(bad("`of` must be followed by a name".to_owned())),
        };
        Ok(Condition::Quantified { all, names })
    }
}

fn is_keyword(word: &str) -> bool {
    ["and", "or", "not", "of", "(", ")"]
        .iter()
        .any(|keyword| keyword.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> Condition {
        Condition::Selection(name.to_owned())
    }

    #[test]
    fn operators_bind_not_then_and_then_or() {
        assert_eq!(
            parse("a or not b and c").unwrap(),
            Condition::Or(vec![
                one("a"),
                Condition::And(vec![Condition::Not(Box::new(one("b"))), one("c")])
            ])
        );
        assert_eq!(
            parse("(a or b) AND 1 of x* and not all of them").unwrap(),
            Condition::And(vec![
                Condition::Or(vec![one("a"), one("b")]),
                Condition::Quantified {
                    all: false,
                    names: Names::Like("x*".to_owned())
                },
                Condition::Not(Box::new(Condition::Quantified {
                    all: true,
                    names: Names::Them
                })),
            ])
        );
    }

    #[test]
    fn invalid_conditions_are_explained() {
        for (text, part) in [
            ("", "ends where"),
            ("a and", "ends where"),
            ("a b", "should end"),
            ("(a", "not closed"),
            ("2 of x*", "not a quantifier"),
            ("a | count() > 5", "counts events"),
            ("a & b", "not allowed"),
            ("1 of and", "followed by a name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
        assert!(parse(&"(".repeat(1000)).is_err());
        assert!(parse(&"not ".repeat(1000)).is_err());
        assert!(parse(&"a or ".repeat(1000)).is_err());
    }
}
