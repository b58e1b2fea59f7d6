//! The subset of JSON path that targets accept: `$`, `.name`, `[n]`, `[*]`.

use crate::document::Document;

/// A checked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
    Every,
}

impl JsonPath {
    pub(crate) fn parse(path: &str) -> Option<JsonPath> {
        if path.chars().count() > 256 {
            return None;
        }
        let mut steps = Vec::new();
        let mut rest = path.strip_prefix('$')?;
        while !rest.is_empty() {
            if let Some(name) = rest.strip_prefix('.') {
                let end = name
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '/')))
                    .unwrap_or(name.len());
                let (name, behind) = name.split_at(end);
                if name.is_empty() {
                    return None;
                }
                steps.push(Step::Name(name.to_owned()));
                rest = behind;
            } else {
                let (index, behind) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(match index {
                    "*" => Step::Every,
                    _ if index.bytes().all(|b| b.is_ascii_digit()) => {
                        Step::Index(index.parse().ok()?)
                    }
                    _ => return None,
                });
                rest = behind;
            }
        }
        Some(JsonPath { steps })
    }

    /// The value at the path; with `[*]` in it, an array of what is there.
    pub(crate) fn select(&self, document: &Document) -> Option<Document> {
        let mut found = vec![document];
        for step in &self.steps {
            found = found
                .into_iter()
                .flat_map(|value| match step {
                    Step::Name(name) => value.member(name).into_iter().collect(),
                    Step::Index(index) => value.elements().get(*index).into_iter().collect(),
                    Step::Every => value.elements().iter().collect::<Vec<_>>(),
                })
                .collect();
        }
        if self.steps.contains(&Step::Every) {
            return (!found.is_empty())
                .then(|| Document::List(found.into_iter().cloned().collect()));
        }
        found.first().map(|value| (*value).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_put_targets_accepts() {
        for path in [
            "$",
            "$.detail.a",
            "$.a-b_c/d",
            "$.a[0].b",
            "$.a[*].b",
            "$.a[12]",
        ] {
            assert!(JsonPath::parse(path).is_some(), "{path}");
        }
        for path in [
            "", "a", "$a", "$.", "$..a", "$.a.*", "$['a']", "$[\"a\"]", "$.a[-1]", "$.a[0:2]",
            "$.a[", "$.a[]x",
        ] {
            assert!(JsonPath::parse(path).is_none(), "{path}");
        }
    }
}
