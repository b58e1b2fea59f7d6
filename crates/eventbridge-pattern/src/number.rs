//! Numbers as `EventBridge` compares them.

use std::fmt::{self, Write};

/// The number's value if it is *comparable*: finite as a double, and the shortest decimal of that
/// double is numerically what the text says. Everything else is compared by its text, or refused
/// where a pattern needs a value.
///
/// Runs for every number of every event, so it allocates nothing.
pub(crate) fn comparable(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // Up to 15 digits a decimal integer and its double are the same number.
    if digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let shortest = Shortest::of(value)?;
    Decimal::read(text)?
        .equals(&Decimal::read(shortest.text()?)?)
        .then_some(value)
}

/// The shortest decimal that reads back as a value; of those with one or two digits, the one
/// nearest to it, as Java prints doubles. The second rule only matters for the very smallest ones.
struct Shortest {
    /// A sign, 17 digits, a point and an exponent of five characters are all there can be.
    bytes: [u8; 32],
    length: usize,
}

impl Shortest {
    fn of(value: f64) -> Option<Shortest> {
        let mut shortest = Shortest::write(format_args!("{value:e}"))?;
        if !shortest.text()?.contains('.') {
            let nearest = Shortest::write(format_args!("{value:.1e}"))?;
            if nearest.text()?.parse() == Ok(value) {
                shortest = nearest;
            }
        }
        Some(shortest)
    }

    fn write(arguments: fmt::Arguments<'_>) -> Option<Shortest> {
        let mut written = Shortest {
            bytes: [0; 32],
            length: 0,
        };
        written.write_fmt(arguments).ok()?;
        Some(written)
    }

    fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

impl Write for Shortest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let slot = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        slot.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A number's significant digits and where they stand.
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    /// Digits without leading and trailing zeros; 0 for zero, of either sign.
    significant: usize,
    /// Leading zeros.
    skipped: usize,
    /// The power of ten of the last significant digit.
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Decimal<'a>> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, saturating(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut decimal = Decimal {
            negative,
            whole: whole.as_bytes(),
            fraction: fraction.as_bytes(),
            significant: 0,
            skipped: 0,
            exponent: exponent.saturating_sub(i64::try_from(fraction.len()).ok()?),
        };
        let zero = |digit: &u8| *digit == b'0';
        let all = whole.len() + fraction.len();
        decimal.skipped = decimal.all().take_while(zero).count();
        if decimal.skipped < all {
            let behind = decimal.all().rev().take_while(zero).count();
            decimal.significant = all - decimal.skipped - behind;
            decimal.exponent = decimal.exponent.saturating_add(i64::try_from(behind).ok()?);
        }
        Some(decimal)
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = u8> + use<'a> {
        self.whole.iter().chain(self.fraction).copied()
    }

    fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.all().skip(self.skipped).take(self.significant)
    }

    fn equals(&self, other: &Decimal<'_>) -> bool {
        if self.significant == 0 || other.significant == 0 {
            return self.significant == other.significant;
        }
        self.negative == other.negative
            && self.exponent == other.exponent
            && self.digits().eq(other.digits())
    }
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
