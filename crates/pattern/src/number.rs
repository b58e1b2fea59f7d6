//! Numbers as `EventBridge` compares them.

/// The number's value if it is *comparable*: finite as a double, and the shortest decimal of that
/// double is numerically what the text says. Everything else is compared by its text, or refused
/// where a pattern needs a value.
pub(crate) fn comparable(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    // Up to 15 digits a decimal integer and its double are the same number.
    if digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value);
    }
    (decimal(text)? == decimal(&shortest(value))?).then_some(value)
}

/// The shortest decimal that reads back as the value; of those with one or two digits, the one
/// nearest to it, as Java prints doubles. The second rule only matters for the very smallest ones.
fn shortest(value: f64) -> String {
    let shortest = format!("{value:e}");
    if shortest.contains('.') {
        return shortest;
    }
    let nearest = format!("{value:.1e}");
    if nearest.parse() == Ok(value) {
        nearest
    } else {
        shortest
    }
}

/// Significant digits without outer zeros, and the exponent of the digit behind the last one.
/// Zero, of either sign, is no digits. The flag is the sign.
fn decimal(text: &str) -> Option<(bool, Vec<u8>, i64)> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, saturating(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .skip_while(|b| *b == b'0')
        .collect();
    let mut exponent = exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent = exponent.saturating_add(1);
    }
    if digits.is_empty() {
        return Some((false, digits, 0));
    }
    Some((negative, digits, exponent))
}

/// The exponent, cut off far outside the range of a double so that sums can't overflow.
fn saturating(exponent: &str) -> Option<i64> {
    const FAR: i64 = 1 << 40;
    let negative = exponent.starts_with('-');
    let digits = exponent.trim_start_matches(['+', '-']);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().unwrap_or(FAR).min(FAR);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparable_means_the_double_says_the_same() {
        for text in [
            "0",
            "-0",
            "0e999999999999999999999",
            "1",
            "1.0",
            "10e-1",
            "300",
            "3.0e2",
            "9007199254740992",
            "1e100",
            "0.1",
            "-5e9",
            "5000000001",
            "1.7976931348623157e308",
            "4.9e-324",
        ] {
            assert!(comparable(text).is_some(), "{text}");
        }
        for text in [
            "9007199254740993",
            "1.0000000000000001",
            "1e309",
            "-1e309",
            "1e-400",
            "0.1234567890123456789",
            "18446744073709551615",
            "1e99999999999999999999",
        ] {
            assert_eq!(comparable(text), None, "{text}");
        }
        assert_eq!(comparable("3.0e2"), comparable("300"));
        assert_eq!(comparable("-0").map(|v| v == 0.0), Some(true));
    }
}
