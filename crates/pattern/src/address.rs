//! IP address literals and address ranges, compared the way event-ruler does: as hex digits.

/// An address as upper-case hex digits, 8 for IPv4 and 32 for IPv6.
pub(crate) type Digits = String;

/// Why a text isn't an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotAnAddress {
    /// It doesn't even look like one.
    Shape,
    /// It looks like one but names none.
    Value,
}

fn looks_like_v4(text: &str) -> bool {
    text.split('.').count() == 4
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn looks_like_v6(text: &str) -> bool {
    text.contains(':') && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
}

fn bytes(text: &str) -> Result<Vec<u8>, NotAnAddress> {
    if looks_like_v4(text) {
        // Parts are decimal, whatever zeros they start with.
        if text.len() > 15 {
            return Err(NotAnAddress::Value);
        }
        return text
            .split('.')
            .map(|part| part.parse::<u8>().map_err(|_| NotAnAddress::Value))
            .collect();
    }
    if looks_like_v6(text) {
        let groups = v6_groups(text).ok_or(NotAnAddress::Value)?;
        // An IPv4-mapped address is an IPv4 address.
        if let [0, 0, 0, 0, 0, 0xffff, high, low] = groups {
            return Ok([high.to_be_bytes(), low.to_be_bytes()].concat());
        }
        return Ok(groups
            .iter()
            .flat_map(|group| group.to_be_bytes())
            .collect());
    }
    Err(NotAnAddress::Shape)
}

/// The eight groups; leading zeros of a group don't count, as in Java.
fn v6_groups(text: &str) -> Option<[u16; 8]> {
    fn side(text: &str) -> Option<Vec<u16>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        text.split(':')
            .map(|group| {
                let digits = group.trim_start_matches('0');
                if group.is_empty() || digits.len() > 4 {
                    return None;
                }
                if digits.is_empty() {
                    Some(0)
                } else {
                    u16::from_str_radix(digits, 16).ok()
                }
            })
            .collect()
    }
    let mut groups = [0; 8];
    match text.split_once("::") {
        None => {
            let all = side(text)?;
            groups = all.try_into().ok()?;
        }
        Some((left, right)) => {
            let (left, right) = (side(left)?, side(right)?);
            if left.len() + right.len() > 7 {
                return None;
            }
            for (slot, group) in groups.iter_mut().zip(&left) {
                *slot = *group;
            }
            for (slot, group) in groups.iter_mut().rev().zip(right.iter().rev()) {
                *slot = *group;
            }
        }
    }
    Some(groups)
}

fn digits(bytes: &[u8]) -> Digits {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// The address as hex digits, if the text is an address literal.
pub(crate) fn literal(text: &str) -> Option<Digits> {
    if !text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_hexdigit() || b == b':')
    {
        return None;
    }
    bytes(text).ok().map(|bytes| digits(&bytes))
}

/// Addresses from `bottom` to `top`, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    bottom: Digits,
    top: Digits,
}

impl Range {
    /// The range of exactly one address.
    pub(crate) fn single(address: Digits) -> Range {
        Range {
            bottom: address.clone(),
            top: address,
        }
    }

    /// The range of a CIDR block; bits behind the mask don't matter.
    pub(crate) fn cidr(text: &str) -> Result<Range, String> {
        let mut parts: Vec<&str> = text.split('/').collect();
        while parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        let [address, mask] = parts.as_slice() else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let Ok(mask) = mask.parse::<i32>() else {
            return Err("Malformed CIDR, mask bits must be an integer".to_owned());
        };
        let Ok(mask) = u32::try_from(mask) else {
            return Err("Malformed CIDR, mask bits must not be negative".to_owned());
        };
        let written = bytes(address).map_err(|reason| match reason {
            NotAnAddress::Shape => format!("Nonstandard IP address: {address}"),
            NotAnAddress::Value => format!("Invalid IP address: {address}"),
        })?;
        if written.len() == 4 && mask > 31 {
            return Err("IPv4 mask bits must be < 32".to_owned());
        }
        if mask > 127 {
            return Err("IPv6 mask bits must be < 128".to_owned());
        }
        // Per byte, the bits behind the mask.
        let free = |index: u32| {
            0xff_u8
                .checked_shr(mask.saturating_sub(index * 8).min(8))
                .unwrap_or(0)
        };
        let bottom: Vec<u8> = written
            .iter()
            .zip(0..)
            .map(|(byte, index)| byte & !free(index))
            .collect();
        let top: Vec<u8> = written
            .iter()
            .zip(0..)
            .map(|(byte, index)| byte | free(index))
            .collect();
        Ok(Range {
            bottom: digits(&bottom),
            top: digits(&top),
        })
    }

    /// Whether a value lies in the range. The value is the hex digits of an address, or the text of
    /// a number; digits are compared from the left and the first one strictly inside decides, so
    /// that addresses of the other family and bare numbers can be "in" a range.
    pub(crate) fn contains(&self, value: &str) -> bool {
        let (mut on_bottom, mut on_top) = (true, true);
        for ((digit, bottom), top) in value.bytes().zip(self.bottom.bytes()).zip(self.top.bytes()) {
            if !matches!(digit, b'0'..=b'9' | b'A'..=b'F')
                || (on_bottom && digit < bottom)
                || (on_top && digit > top)
            {
                return false;
            }
            on_bottom &= digit == bottom;
            on_top &= digit == top;
            if !on_bottom && !on_top {
                return true;
            }
        }
        value.len() >= self.bottom.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_addresses_not_texts() {
        assert_eq!(literal("192.0.2.1").as_deref(), Some("C0000201"));
        assert_eq!(literal("192.000.002.001").as_deref(), Some("C0000201"));
        assert_eq!(literal("::ffff:c000:201").as_deref(), Some("C0000201"));
        assert_eq!(literal("2001:DB8:0:0::1"), literal("2001:db8::1"));
        for text in [
            "",
            "192.0.2",
            "192.0.2.256",
            "0192.000.002.001",
            "1:2",
            ":",
            ":::",
            "::1::",
            "1:2:3:4:5:6:7:8:9",
            "12:30",
            "fe80::1%1",
            "::ffff:192.0.2.1",
            "1:",
            "10.0.0.0.0",
        ] {
            assert_eq!(literal(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_compare_digits() {
        let ten = Range::cidr("10.0.0.0/8").expect("valid");
        let within = |range: &Range, text: &str| range.contains(&literal(text).expect("address"));
        assert!(within(&ten, "10.0.0.0") && within(&ten, "10.255.255.255"));
        assert!(!within(&ten, "11.0.0.0") && !within(&ten, "9.255.255.255"));
        assert!(
            within(&ten, "a00::1"),
            "the other family compares by digits too"
        );
        let all = Range::cidr("10.0.0.1/0").expect("valid");
        assert!(within(&all, "0.0.0.0"), "host bits don't matter");
        assert!(all.contains("1"), "a bare number may be in a wide range");
        assert!(Range::cidr("10.0.0.0/+8").is_ok());
    }
}
