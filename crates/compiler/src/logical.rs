//! Logical ids of resources, derived from names: the same name always gives the same id.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// One id per name: its words in camel case, plus a hash suffix if two names would get the same id
/// (`a-1b` and `a1-b`).
///
/// A name keeps the id that it has in `known`, so that a similar name that comes or goes doesn't
/// replace its resources.
pub(crate) fn ids<'n>(
    names: impl IntoIterator<Item = &'n str>,
    known: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut by_id: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        by_id.entry(camel_case(name)).or_default().push(name);
    }
    let mut ids = BTreeMap::new();
    for (id, names) in by_id {
        let is = |name: &str, id: &str| known.get(name).is_some_and(|it| it == id);
        let with_hash = |name: &str| format!("{id}{}", hash(name));
        // At most one name has the id without a suffix: who has it now, or who is alone.
        let plain = match names.as_slice() {
            [only] => (!is(only, &with_hash(only))).then_some(*only),
            several => several.iter().copied().find(|name| is(name, &id)),
        };
        for name in names {
            let unique = if plain == Some(name) {
                id.clone()
            } else {
                with_hash(name)
            };
            ids.insert(name.to_owned(), unique);
        }
    }
    ids
}

fn camel_case(name: &str) -> String {
    name.split(|char: char| !char.is_ascii_alphanumeric())
        .flat_map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(chars)
        })
        .collect()
}

/// The first 32 bits of the text's SHA-256, as eight capital hexadecimal digits.
pub(crate) fn hash(text: &str) -> String {
    let mut digits = base16ct::upper::encode_string(&Sha256::digest(text.as_bytes()));
    digits.truncate(8);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_like_the_name() {
        let ids = ids(["root-user-activity", "alerts"], &BTreeMap::new());
        assert_eq!(ids["root-user-activity"], "RootUserActivity");
        assert_eq!(ids["alerts"], "Alerts");
    }

    #[test]
    fn similar_names_get_distinct_ids() {
        let ids = ids(["a-1b", "a1b", "other"], &BTreeMap::new());
        assert_ne!(ids["a-1b"], ids["a1b"]);
        assert!(ids["a-1b"].starts_with("A1b"));
        assert_eq!(ids["other"], "Other");
    }
    #[test]
    fn a_similar_name_that_comes_or_goes_leaves_ids_alone() {
        let alone = ids(["a-1b"], &BTreeMap::new());
        let both = ids(["a-1b", "a1b"], &alone);
        assert_eq!(both["a-1b"], alone["a-1b"]);
        assert_ne!(both["a1b"], both["a-1b"]);
        let other = ids(["a1b"], &both);
        assert_eq!(other["a1b"], both["a1b"]);
    }
}
