//! Evaluates the `Condition` block.

use super::Context;
use super::document::PolicyError;
use super::glob;

/// One operator and key with the values to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    operator: Operator,
    written: String,
    quantifier: Quantifier,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    Single,
    ForAll,
    ForAny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Exact,
    IgnoreCase,
    Like,
    Arn,
    Number(Order),
    Date(Order),
    Bool,
    Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Compare {
        comparison: Comparison,
        negated: bool,
    },
    Null,
}

fn operator(name: &str) -> Option<Operator> {
    let (comparison, negated) = match name {
        "StringEquals" => (Comparison::Exact, false),
        "StringNotEquals" => (Comparison::Exact, true),
        "StringEqualsIgnoreCase" => (Comparison::IgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::IgnoreCase, true),
        "StringLike" => (Comparison::Like, false),
        "StringNotLike" => (Comparison::Like, true),
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "NumericEquals" => (Comparison::Number(Order::Equal), false),
        "NumericNotEquals" => (Comparison::Number(Order::Equal), true),
        "NumericLessThan" => (Comparison::Number(Order::Less), false),
        "NumericLessThanEquals" => (Comparison::Number(Order::LessOrEqual), false),
        "NumericGreaterThan" => (Comparison::Number(Order::Greater), false),
        "NumericGreaterThanEquals" => (Comparison::Number(Order::GreaterOrEqual), false),
        "DateEquals" => (Comparison::Date(Order::Equal), false),
        "DateNotEquals" => (Comparison::Date(Order::Equal), true),
        "DateLessThan" => (Comparison::Date(Order::Less), false),
        "DateLessThanEquals" => (Comparison::Date(Order::LessOrEqual), false),
        "DateGreaterThan" => (Comparison::Date(Order::Greater), false),
        "DateGreaterThanEquals" => (Comparison::Date(Order::GreaterOrEqual), false),
        "Bool" => (Comparison::Bool, false),
        "IpAddress" => (Comparison::Address, false),
        "NotIpAddress" => (Comparison::Address, true),
        "Null" => return Some(Operator::Null),
        _ => return None,
    };
    Some(Operator::Compare {
        comparison,
        negated,
    })
}

impl Condition {
    pub(crate) fn new(
        written: &str,
        key: &str,
        values: Vec<String>,
    ) -> Result<Condition, PolicyError> {
        let (quantifier, rest) = match written.split_once(':') {
            Some(("ForAllValues", rest)) => (Quantifier::ForAll, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::ForAny, rest),
            _ => (Quantifier::Single, written),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) if name != "Null" => (name, true),
            _ => (rest, false),
        };
        let operator = operator(name)
            .ok_or_else(|| PolicyError(format!("Invalid Condition type : {written}.")))?;
        if !key.contains(':') {
            return Err(PolicyError(format!("Invalid condition key: {key}")));
        }
        if values.is_empty() {
            return Err(PolicyError(format!(
                "The condition {written} on {key} has no values."
            )));
        }
        let condition = Condition {
            operator,
            written: written.to_owned(),
            quantifier,
            if_exists,
            key: key.to_owned(),
            values,
        };
        condition.check_values()?;
        Ok(condition)
    }

    fn check_values(&self) -> Result<(), PolicyError> {
        let Operator::Compare { comparison, .. } = self.operator else {
            return Ok(());
        };
        let good = |value: &String| match comparison {
            Comparison::Bool => value == "true" || value == "false",
            Comparison::Number(_) => value.parse::<f64>().is_ok(),
            Comparison::Date(_) => date(value).is_some(),
            Comparison::Arn => {
                value == "*" || value.starts_with("${") || value.splitn(6, ':').count() == 6
            }
            Comparison::Address => block(value).is_some(),
            Comparison::Exact | Comparison::IgnoreCase | Comparison::Like => true,
        };
        match self.values.iter().find(|value| !good(value)) {
            Some(value) => Err(PolicyError(format!(
                "The value {value:?} does not fit the condition operator {}.",
                self.written
            ))),
            None => Ok(()),
        }
    }

    /// Why the condition isn't met; `None` if it is.
    pub(crate) fn unmet(&self, context: &Context) -> Option<String> {
        let found = context.get(&self.key);
        let Operator::Compare {
            comparison,
            negated,
        } = self.operator
        else {
            let absent = self.values.iter().any(|value| value == "true");
            return (absent == found.is_some()).then(|| {
                format!(
                    "the condition wants {} to be {}",
                    self.key,
                    if absent { "absent" } else { "present" }
                )
            });
        };
        let Some(found) = found else {
            let holds = self.if_exists
                || match self.quantifier {
                    Quantifier::ForAll => true,
                    Quantifier::ForAny => false,
                    Quantifier::Single => negated,
                };
            return (!holds).then(|| {
                format!(
                    "the condition wants {}, which this request does not have",
                    self.key
                )
            });
        };
        let one = |value: &String| {
            let hit = self.values.iter().any(|wanted| {
                substitute(wanted, context)
                    .is_some_and(|wanted| compare(comparison, &wanted, value))
            });
            hit != negated
        };
        let holds = match self.quantifier {
            Quantifier::ForAll => found.iter().all(one),
            // Without a quantifier, a negated operator requires every value to differ.
            Quantifier::Single if negated => found.iter().all(one),
            Quantifier::Single | Quantifier::ForAny => found.iter().any(one),
        };
        (!holds).then(|| {
            format!(
                "{} is {}, the condition {} wants {}",
                self.key,
                found.join(", "),
                self.written,
                self.values.join(" or ")
            )
        })
    }
}

/// Substitutes policy variables; `None` if the request lacks one of them.
pub(crate) fn substitute(text: &str, context: &Context) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (name, after) = after.split_once('}')?;
        match name {
            "*" | "?" | "$" => out.push_str(name),
            _ => out.push_str(context.get(name)?.first()?),
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn compare(comparison: Comparison, wanted: &str, found: &str) -> bool {
    match comparison {
        Comparison::Exact => wanted == found,
        Comparison::IgnoreCase => wanted.eq_ignore_ascii_case(found),
        Comparison::Bool => wanted.eq_ignore_ascii_case(found),
        Comparison::Like => glob::matches(wanted, found),
        Comparison::Arn => wanted == "*" || glob::arn_matches(wanted, found),
        Comparison::Number(order) => match (found.parse::<f64>(), wanted.parse::<f64>()) {
            (Ok(found), Ok(wanted)) => ordered(order, found.partial_cmp(&wanted)),
            _ => false,
        },
        Comparison::Date(order) => match (date(found), date(wanted)) {
            (Some(found), Some(wanted)) => ordered(order, Some(found.cmp(&wanted))),
            _ => false,
        },
        Comparison::Address => match (block(wanted), block(found)) {
            (Some((network, bits)), Some((address, 128 | 32))) => within(network, bits, address),
            _ => false,
        },
    }
}

fn ordered(order: Order, found: Option<std::cmp::Ordering>) -> bool {
    found.is_some_and(|found| match order {
        Order::Equal => found.is_eq(),
        Order::Less => found.is_lt(),
        Order::LessOrEqual => found.is_le(),
        Order::Greater => found.is_gt(),
        Order::GreaterOrEqual => found.is_ge(),
    })
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    text.parse()
        .ok()
        .or_else(|| jiff::Timestamp::from_second(text.parse().ok()?).ok())
}

fn block(text: &str) -> Option<(std::net::IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: std::net::IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some((address, bits))
}

fn within(network: std::net::IpAddr, bits: u8, address: std::net::IpAddr) -> bool {
    use std::net::IpAddr::{V4, V6};
    match (network, address) {
        (V4(network), V4(address)) => {
            let shift = 32 - u32::from(bits);
            u64::from(network.to_bits()) >> shift == u64::from(address.to_bits()) >> shift
        }
        (V6(network), V6(address)) => {
            let shift = 128 - u32::from(bits);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}
