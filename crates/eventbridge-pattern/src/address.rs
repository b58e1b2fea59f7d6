//! IP address literals and address ranges, compared the way event-ruler does: as hex digits.

/// An address as upper-case hex digits, 8 for IPv4 and 32 for IPv6. No heap: strings of events
/// are tried for being addresses all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits {
    hex: [u8; 32],
    length: usize,
}

impl Digits {
    /// The digits as text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.hex.get(..self.length).unwrap_or_default()
    }
}

/// The bytes of an address: 4 of them, or all 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Address {
    fn bytes(&self) -> &[u8] {
        match self {
            Address::V4(bytes) => bytes,
            Address::V6(bytes) => bytes,
        }
    }

    fn digits(&self) -> Digits {
        digits(self.bytes().iter().copied())
    }
}

/// Why a text isn't an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotAnAddress {
    /// It doesn't even look like one.
    Shape,
    /// It looks like one but names none.
    Value,
}

fn looks_like_v4(text: &[u8]) -> bool {
    let mut parts = 0;
    text.split(|b| *b == b'.').all(|part| {
        parts += 1;
        !part.is_empty() && part.iter().all(u8::is_ascii_digit)
    }) && parts == 4
}

fn looks_like_v6(text: &[u8]) -> bool {
    text.contains(&b':') && text.iter().all(|b| b.is_ascii_hexdigit() || *b == b':')
}

fn address(text: &[u8]) -> Result<Address, NotAnAddress> {
    if looks_like_v4(text) {
        if text.len() > 15 {
            return Err(NotAnAddress::Value);
        }
        // Parts are decimal, whatever zeros they start with.
        let mut bytes = [0; 4];
        for (slot, part) in bytes.iter_mut().zip(text.split(|b| *b == b'.')) {
            let value = part
                .iter()
                .fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
            *slot = u8::try_from(value).map_err(|_| NotAnAddress::Value)?;
        }
        return Ok(Address::V4(bytes));
    }
    if looks_like_v6(text) {
        let groups = v6_groups(text).ok_or(NotAnAddress::Value)?;
        // An IPv4-mapped address is an IPv4 address.
        if let [0, 0, 0, 0, 0, 0xffff, high, low] = groups {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            return Ok(Address::V4([a, b, c, d]));
        }
        let mut bytes = [0; 16];
        for (slot, byte) in bytes
            .iter_mut()
            .zip(groups.iter().flat_map(|group| group.to_be_bytes()))
        {
            *slot = byte;
        }
        return Ok(Address::V6(bytes));
    }
    Err(NotAnAddress::Shape)
}

/// The eight groups; leading zeros of a group don't count, as in Java.
fn v6_groups(text: &[u8]) -> Option<[u16; 8]> {
    /// Writes the groups of one side of `::` and returns how many there are.
    fn side<'s>(text: &[u8], mut slots: impl Iterator<Item = &'s mut u16>) -> Option<usize> {
        if text.is_empty() {
            return Some(0);
        }
        let mut count = 0;
        for group in text.split(|b| *b == b':') {
            let zeros = group.iter().take_while(|b| **b == b'0').count();
            if group.is_empty() || group.len() - zeros > 4 {
                return None;
            }
            *slots.next()? = group.iter().try_fold(0_u16, |value, digit| {
                let digit = char::from(*digit).to_digit(16)?;
                Some((value << 4) | u16::try_from(digit).ok()?)
            })?;
            count += 1;
        }
        Some(count)
    }
    let mut groups = [0; 8];
    match text.windows(2).position(|pair| pair == b"::") {
        None => (side(text, groups.iter_mut())? == 8).then_some(groups),
        Some(at) => {
            let (left, right) = (text.get(..at)?, text.get(at + 2..)?);
            let before = side(left, groups.iter_mut())?;
            let behind = if right.is_empty() {
                0
            } else {
                right.split(|b| *b == b':').count()
            };
            if before + behind > 7 {
                return None;
            }
            side(right, groups.iter_mut().skip(8 - behind))?;
            Some(groups)
        }
    }
}

fn digits(bytes: impl Iterator<Item = u8>) -> Digits {
    let mut digits = Digits {
        hex: [0; 32],
        length: 0,
    };
    let nibbles = bytes.flat_map(|b| [b >> 4, b & 15]);
    for (slot, nibble) in digits.hex.iter_mut().zip(nibbles) {
        *slot = if nibble < 10 {
            b'0' + nibble
        } else {
            b'A' - 10 + nibble
        };
        digits.length += 1;
    }
    digits
}

/// The address as hex digits, if the text is an address literal.
pub(crate) fn literal(text: &[u8]) -> Option<Digits> {
    let first = text.first()?;
    if !first.is_ascii_hexdigit() && *first != b':' {
        return None;
    }
    address(text).ok().map(|address| address.digits())
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
            bottom: address,
            top: address,
        }
    }

    /// The range of a CIDR block; bits outside the mask don't matter.
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
        let written = self::address(address.as_bytes()).map_err(|reason| match reason {
            NotAnAddress::Shape => format!("Nonstandard IP address: {address}"),
            NotAnAddress::Value => format!("Invalid IP address: {address}"),
        })?;
        let written = written.bytes();
        if written.len() == 4 && mask > 31 {
            return Err("IPv4 mask bits must be < 32".to_owned());
        }
        if mask > 127 {
            return Err("IPv6 mask bits must be < 128".to_owned());
        }
        // Per byte, the bits outside the mask.
        let free = |index: u32| {
            0xff_u8
                .checked_shr(mask.saturating_sub(index * 8).min(8))
                .unwrap_or(0)
        };
        let each = || written.iter().zip(0..);
        Ok(Range {
            bottom: digits(each().map(|(byte, index)| byte & !free(index))),
            top: digits(each().map(|(byte, index)| byte | free(index))),
        })
    }

    /// Whether this range provably contains all of `other`: it does if both are of one
    /// family, since a digit that is strictly inside the narrow range is inside the wide one.
    pub(crate) fn covers(&self, other: &Range) -> bool {
        self.bottom.length == other.bottom.length
            && self.bottom.hex <= other.bottom.hex
            && other.top.hex <= self.top.hex
    }

    /// Whether a value lies in the range. The value is the hex digits of an address, or the text of
    /// a number; digits are compared from the left and the first one strictly inside decides, so
    /// that addresses of the other family and bare numbers can be "in" a range.
    pub(crate) fn contains(&self, value: &[u8]) -> bool {
        let (mut on_bottom, mut on_top) = (true, true);
        let ends = self.bottom.as_bytes().iter().zip(self.top.as_bytes());
        for (digit, (bottom, top)) in value.iter().zip(ends) {
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
        value.len() >= self.bottom.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_addresses_not_texts() {
        let c0000201 = Some(digits([192, 0, 2, 1].into_iter()));
        assert_eq!(literal(b"192.0.2.1"), c0000201);
        assert_eq!(literal(b"192.000.002.001"), c0000201);
        assert_eq!(literal(b"::ffff:c000:201"), c0000201);
        assert_eq!(literal(b"2001:DB8:0:0::1"), literal(b"2001:db8::1"));
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
            assert_eq!(literal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn ranges_compare_digits() {
        let ten = Range::cidr("10.0.0.0/8").expect("valid");
        let within = |range: &Range, text: &str| {
            range.contains(literal(text.as_bytes()).expect("address").as_bytes())
        };
        assert!(within(&ten, "10.0.0.0") && within(&ten, "10.255.255.255"));
        assert!(!within(&ten, "11.0.0.0") && !within(&ten, "9.255.255.255"));
        assert!(
            within(&ten, "a00::1"),
            "the other family compares by digits too"
        );
        let all = Range::cidr("10.0.0.1/0").expect("valid");
        assert!(within(&all, "0.0.0.0"), "host bits don't matter");
        assert!(all.contains(b"1"), "a bare number may be in a wide range");
        assert!(Range::cidr("10.0.0.0/+8").is_ok());
    }
}
