//! Replaces identifiers and secrets in an event, consistently: equal values get equal stand-ins.
//!
//! Fixtures are committed, often publicly. Stand-ins come from AWS's documentation, or are reserved
//! for documentation (RFC 5737, RFC 3849, RFC 2606). Names of users, roles and resources stay,
//! because a program can't tell which of them are sensitive.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;
use serde_json::Value;

/// Stand-ins for account ids, in order of use.
const ACCOUNTS: [&str; 8] = [
    "111122223333",
    "222233334444",
    "333344445555",
    "444455556666",
    "555566667777",
    "666677778888",
    "777788889999",
    "888899990000",
];
/// More account ids from documentation, which are left alone.
const EXAMPLES: [&str; 3] = ["012345678901", "123456789012", "999988887777"];
/// Prefixes of the unique ids of access keys and identities
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
const PREFIXES: [&str; 10] = [
    "AKIA", "ASIA", "AIDA", "AROA", "AGPA", "AIPA", "ANPA", "ANVA", "APKA", "ASCA",
];
/// Suffixes of the names of fields with secrets.
const SECRETS: [&str; 6] = [
    "password",
    "secret",
    "token",
    "secretaccesskey",
    "privatekey",
    "secretstring",
];
/// Replaces a secret; CloudTrail itself uses this text.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// The number of distinct values of one kind that were replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// `account id`, `access key or principal id`, …
    pub kind: &'static str,
    /// Number of distinct values.
    pub values: usize,
}

/// The sanitized event, and the number of replacements by kind.
pub(super) fn sanitize(event: &Value) -> (Value, Vec<Replaced>) {
    let mut known = Known {
        original: event.to_string(),
        kinds: BTreeMap::new(),
    };
    let mut event = event.clone();
    known.value(&mut event);
    let replaced = known
        .kinds
        .iter()
        .map(|(kind, values)| Replaced {
            kind,
            values: values.len(),
        })
        .collect();
    (event, replaced)
}

struct Known {
    /// The original event: a value that occurs in it can't be a stand-in.
    original: String,
    /// Original value to stand-in, by kind.
    kinds: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Known {
    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Value::String(text) if is_secret(key) && text != HIDDEN => {
                            *text = self.stand_in("secret", text, |_| HIDDEN.to_owned());
                        }
                        value => self.value(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn stand_in(
        &mut self,
        kind: &'static str,
        value: &str,
        make: impl Fn(usize) -> String,
    ) -> String {
        let values = self.kinds.entry(kind).or_default();
        let number = values.len();
        values
            .entry(value.to_owned())
            .or_insert_with(|| make(number))
            .clone()
    }

    fn text(&mut self, text: &str) -> String {
        let text = self.pieces(text, |c| "\"' ,;()[]<>\n".contains(c), Self::address);
        let text = self.pieces(&text, |c| "\"' ,;()[]<>:/\n".contains(c), Self::mail);
        let text = self.pieces(
            &text,
            |c| !(c.is_ascii_alphanumeric() || c == '-'),
            Self::organization,
        );
        self.pieces(
            &text,
            |c| !(c.is_ascii_alphanumeric() || c == '-'),
            |known, word| {
                // A UUID may end in twelve digits, so it is left alone.
                (!is_uuid(word)).then(|| known.pieces(word, |c| c == '-', Self::id))
            },
        )
    }

    /// Replaces pieces of text between separators.
    fn pieces(
        &mut self,
        text: &str,
        separates: impl Fn(char) -> bool,
        replace: impl Fn(&mut Self, &str) -> Option<String>,
    ) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in text.split_inclusive(&separates) {
            let word = piece.trim_end_matches(&separates);
            match replace(self, word) {
                Some(other) => {
                    out.push_str(&other);
                    out.push_str(piece.strip_prefix(word).unwrap_or_default());
                }
                None => out.push_str(piece),
            }
        }
        out
    }

    fn id(&mut self, word: &str) -> Option<String> {
        if word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit()) {
            if ACCOUNTS.contains(&word) || EXAMPLES.contains(&word) {
                return None;
            }
            let mut free = ACCOUNTS;
            free.sort_by_key(|id| self.original.contains(id));
            return Some(self.stand_in("account id", word, |number| {
                // A ninth account in one event also gets twelve digits that aren't a real account.
                free.get(number)
                    .map_or_else(|| format!("0000{number:08}"), |it| (*it).to_owned())
            }));
        }
        let prefix = word.get(..4).filter(|prefix| PREFIXES.contains(prefix))?;
        let is_id = (16..=128).contains(&word.len())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !is_id || word.contains("EXAMPLE") {
            return None;
        }
        Some(self.stand_in("access key or principal id", word, |number| {
            format!("{prefix}IOSFODNN{}EXAMPLE", number + 7)
        }))
    }

    fn organization(&mut self, word: &str) -> Option<String> {
        let rest = word.strip_prefix("o-")?;
        let is_id = (10..=32).contains(&rest.len())
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_id || rest.starts_with("example") {
            return None;
        }
        Some(self.stand_in("organization id", word, |number| {
            format!("o-exampleorg{}", number + 1)
        }))
    }

    fn mail(&mut self, word: &str) -> Option<String> {
        let (name, domain) = word.split_once('@')?;
        let is_mail = !name.is_empty() && domain.contains('.') && !domain.contains('@');
        if !is_mail || domain.ends_with("example.com") || domain.ends_with("example.org") {
            return None;
        }
        Some(self.stand_in("e-mail address", word, |number| {
            format!("person{}@example.com", number + 1)
        }))
    }

    /// Replaces an address or CIDR block. Private addresses and "everywhere" stay.
    fn address(&mut self, word: &str) -> Option<String> {
        let (address, length) = match word.split_once('/') {
            Some((address, length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(length))
            }
            Some(_) => return None,
            None => (word, None),
        };
        let address: IpAddr = address.parse().ok()?;
        if !is_public(address) {
            return None;
        }
        let other = self.stand_in("IP address", &address.to_string(), |number| match address {
            IpAddr::V4(_) => {
                Ipv4Addr::new(198, 51, 100, u8::try_from(number + 1).unwrap_or(u8::MAX)).to_string()
            }
            IpAddr::V6(_) => format!("2001:db8::{:x}", number + 1),
        });
        Some(match length {
            Some(length) => format!("{other}/{length}"),
            None => other,
        })
    }
}

fn is_uuid(word: &str) -> bool {
    let lengths = word.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRETS.iter().any(|word| key.ends_with(word))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_documentation())
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            !(address.is_unspecified()
                || address.is_loopback()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || address.segments()[..2] == [0x2001, 0x0db8])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn identifiers_are_replaced_consistently() {
        let event = json!({
            "recipientAccountId": "444400001111",
            "userIdentity": {
                "arn": "arn:aws:sts::444400001111:assumed-role/Admin/jane.roe@corp.invalid",
                "principalId": "AROAZ5DLKEIWJ2TSTAAAA:jane.roe@corp.invalid",
                "accessKeyId": "ASIAZ5DLKEIWJ2TSTBBB",
            },
            "sourceIPAddress": "8.8.4.4",
            "requestParameters": {
                "policy": "{\"AWS\":\"arn:aws:iam::999900001111:root\",\"aws:SourceIp\":\"8.8.4.0/24\"}",
                "cidrIp": "0.0.0.0/0", "network": "10.0.0.0/16", "v6": "2a00::1",
                "organization": "o-a1b2c3d4e5",
            },
            "responseElements": {"credentials": {"sessionToken": "FwoGZXIvYXdz"}, "password": HIDDEN},
        });
        let (event, replaced) = sanitize(&event);
        assert_eq!(
            event,
            json!({
                "recipientAccountId": "111122223333",
                "userIdentity": {
                    "arn": "arn:aws:sts::111122223333:assumed-role/Admin/person1@example.com",
                    "principalId": "AROAIOSFODNN7EXAMPLE:person1@example.com",
                    "accessKeyId": "ASIAIOSFODNN8EXAMPLE",
                },
                "sourceIPAddress": "198.51.100.1",
                "requestParameters": {
                    "policy": "{\"AWS\":\"arn:aws:iam::222233334444:root\",\"aws:SourceIp\":\"198.51.100.2/24\"}",
                    "cidrIp": "0.0.0.0/0", "network": "10.0.0.0/16", "v6": "2001:db8::3",
                    "organization": "o-exampleorg1",
                },
                "responseElements": {"credentials": {"sessionToken": HIDDEN}, "password": HIDDEN},
            })
        );
        let counted: Vec<_> = replaced.iter().map(|it| (it.kind, it.values)).collect();
        assert_eq!(
            counted,
            [
                ("IP address", 3),
                ("access key or principal id", 2),
                ("account id", 2),
                ("e-mail address", 1),
                ("organization id", 1),
                ("secret", 1),
            ]
        );
    }

    #[test]
    fn non_identifying_values_stay() {
        let event = json!({
            "userAgent": "Mozilla/5.0 Chrome/131.0.0.0 Safari/537.36", "eventTime": "2026-11-23T03:30:00Z",
            "arn": "arn:aws:iam::aws:policy/AdministratorAccess", "accountId": "111122223333",
            "instanceId": "i-0123456789abcdef0", "tokenType": "x", "number": 444_400_001_111_u64,
            "eventID": "e51d8a60-52c7-4ab0-8c4a-600011112222", "secretId": "prod/database",
        });
        assert_eq!(sanitize(&event), (event, Vec::new()));
    }

    #[test]
    fn sanitizing_twice_changes_nothing_more() {
        let event = json!({"a": "logs-555500001111 and 8.8.8.8 and AKIAZ5DLKEIWJ2TSTCCC"});
        let (once, _) = sanitize(&event);
        assert_eq!(sanitize(&once), (once, Vec::new()));
    }
}
