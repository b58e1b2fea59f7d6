//! Which plain scalars are null, boolean or number, and which stay text.
//!
//! The rules are YAML 1.2's core schema as the `serde_yaml` family reads it; a property test
//! compares the two. For AWS users it matters that `No`, `on` and `1_000` are text, and so are
//! digits with a leading zero, because `012345678901` is an account id.

use crate::tree::Value;

/// Resolves a plain (unquoted) scalar.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::String(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.starts_with(['-', '+']) {
        return false;
    }
    if integer(text).is_some() {
        return true;
    }
    if unsigned.len() > 1
        && unsigned.starts_with('0')
        && unsigned.bytes().all(|byte| byte.is_ascii_digit())
    {
        return false;
    }
    is_infinite_or_nan(text) || unsigned.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_infinite_or_nan(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// The value of a hexadecimal, octal or binary integer such as `0x1F`.
fn integer(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| Some((unsigned.strip_prefix(prefix)?, radix)))?;
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// The JSON spelling of a number, or `None` for infinities and NaN, which JSON doesn't have.
///
/// Valid JSON spellings are kept as written, since event patterns may depend on them.
pub(crate) fn number_as_json(text: &str) -> Option<String> {
    if is_infinite_or_nan(text) {
        return None;
    }
    if let Some(value) = integer(text) {
        return Some(value.to_string());
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if serde_json::from_str::<serde_json::Number>(unsigned).is_ok() {
        return Some(unsigned.to_owned());
    }
    let value: f64 = unsigned.parse().ok()?;
    serde_json::Number::from_f64(value).map(|number| number.to_string())
}

/// The number's value, or `None` for infinities and NaN, which JSON doesn't have.
pub(crate) fn number(text: &str) -> Option<serde_json::Number> {
    let json = number_as_json(text)?;
    // `serde_json` reads `-0` as a float and, by default, may miss a float's last digit; the
    // standard library does neither.
    if let Ok(number) = json.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = json.parse::<i64>() {
        return Some(number.into());
    }
    serde_json::Number::from_f64(json.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_and_words_stay_text() {
        for text in [
            "012345678901",
            "000",
            "No",
            "yes",
            "on",
            "1_000",
            "0777",
            "2026-11-23",
            "12:30",
            "=",
        ] {
            assert_eq!(resolve(text), Value::String(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_spelling() {
        for text in [
            "0",
            "111122223333",
            "-7",
            "+7",
            "1.50",
            "1e3",
            "0x1F",
            "-0o17",
            "0b101",
            ".5",
            "5.",
            ".inf",
            ".nan",
        ] {
            assert_eq!(resolve(text), Value::Number(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn json_spelling_of_numbers() {
        for (text, json) in [
            ("1.50", "1.50"),
            ("+7", "7"),
            ("0x1F", "31"),
            ("-0b11", "-3"),
            (".5", "0.5"),
            ("5.", "5.0"),
        ] {
            assert_eq!(number_as_json(text).as_deref(), Some(json), "{text}");
        }
        assert_eq!(number_as_json("-.inf"), None);
    }
}
