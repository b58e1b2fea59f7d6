//! A rule's condition with its selections and modifiers resolved.

use std::net::IpAddr;

use crate::text::Text;

/// A boolean tree of tests.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Atom(Atom),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
}

/// A field and its tests. It holds if some value of the field passes some test.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    pub(crate) field: String,
    pub(crate) tests: Vec<Test>,
}

/// A test of one value.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// The field is missing or null.
    Null,
    /// The field is present with any value.
    Exists,
    /// Equality or wildcards.
    Value {
        text: Text,
        cased: bool,
        written: Written,
    },
    Regex(Regex),
    Cidr(Network),
    Compare(Comparison, Number),
    /// Comparison with the value of another field.
    Reference {
        other: String,
        how: How,
        cased: bool,
    },
    /// A part of a time; `None` compares for equality.
    Time {
        part: TimePart,
        comparison: Option<Comparison>,
        number: i64,
    },
}

/// The YAML type of a value in the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Text,
    Number,
    Boolean,
}

/// Where the other field's value must occur in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Equals,
    Contains,
    Starts,
    Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn holds<T: PartialOrd>(self, value: &T, bound: &T) -> bool {
        match self {
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }

    /// The negated comparison.
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A number with its JSON spelling.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) spelling: String,
    pub(crate) value: f64,
}

impl Number {
    /// A number that EventBridge compares by value: JSON's spelling, at most 15 digits, no
    /// exponent. Others are compared as texts.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
        if digits > 15 || !plain {
            return None;
        }
        serde_json::from_str::<serde_json::Number>(text).ok()?;
        let value: f64 = text.parse().ok()?;
        Some(Self {
            spelling: text.to_owned(),
            value,
        })
    }
}

/// A regular expression with its flags.
#[derive(Clone, Debug)]
pub(crate) struct Regex {
    pub(crate) source: String,
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
    pub(crate) compiled: regex_lite::Regex,
}

/// Longest regular expression, in bytes.
const MAX_REGEX: usize = 1000;
const MAX_REGEX_MEMORY: usize = 256 * 1024;

impl Regex {
    pub(crate) fn new(
        source: &str,
        ignore_case: bool,
        multi_line: bool,
        dot_all: bool,
    ) -> Result<Self, String> {
        if source.len() > MAX_REGEX {
            return Err(format!(
                "the regular expression has {} bytes, more than {MAX_REGEX}",
                source.len()
            ));
        }
        let compiled = regex_lite::RegexBuilder::new(source)
            .case_insensitive(ignore_case)
            .multi_line(multi_line)
            .dot_matches_new_line(dot_all)
            .size_limit(MAX_REGEX_MEMORY)
            .build()
            .map_err(|error| format!("the regular expression is invalid: {error}"))?;
        Ok(Self {
            source: source.to_owned(),
            ignore_case,
            multi_line,
            dot_all,
            compiled,
        })
    }
}

/// An address range in CIDR notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) spelling: String,
    pub(crate) address: IpAddr,
    pub(crate) bits: u8,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then(|| Self {
            spelling: text.to_owned(),
            address,
            bits,
        })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                let high = |it: std::net::Ipv4Addr| u32::from(it).checked_shr(shift).unwrap_or(0);
                high(network) == high(address)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                let high = |it: std::net::Ipv6Addr| u128::from(it).checked_shr(shift).unwrap_or(0);
                high(network) == high(address)
            }
            _ => false,
        }
    }
}

impl Expression {
    /// Number of tests in the tree.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Atom(atom) => atom.tests.len().max(1),
            Self::Not(inside) => 1 + inside.size(),
            Self::And(all) | Self::Or(all) => 1 + all.iter().map(Self::size).sum::<usize>(),
        }
    }
}
