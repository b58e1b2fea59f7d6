//! Event paths in rule files: `detail.userIdentity.arn`, `resources[0]`.
//!
//! The grammar is that of an input transformer's `InputPathsMap`, without the leading `$.`.

use serde_json::Value;

/// The longest JSON path that `PutTargets` accepts, in characters.
const MAX_CHARS: usize = 256;

/// The top-level fields of every event, including `detail`.
const ENVELOPE: [&str; 9] = [
    "version",
    "id",
    "detail-type",
    "source",
    "account",
    "time",
    "region",
    "resources",
    "detail",
];

/// A path that an input transformer can follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    All,
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadPath {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl BadPath {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl EventPath {
    pub(crate) fn parse(text: &str) -> Result<Self, BadPath> {
        if let Some(rest) = text.strip_prefix("$.") {
            return Err(BadPath::new(format!("the path `{text}` starts with `$.`"))
                .help(format!("write `{rest}`")));
        }
        if text.is_empty() {
            return Err(BadPath::new("the path is empty")
                .help("write for example `detail.userIdentity.arn`"));
        }
        if text.chars().count() + 2 > MAX_CHARS {
            return Err(BadPath::new(format!(
                "the path is longer than {} characters",
                MAX_CHARS - 2
            )));
        }
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, indices) = match part.find('[') {
                Some(at) => part.split_at(at),
                None => (part, ""),
            };
            if name.is_empty() || !name.chars().all(is_name_character) {
                return Err(BadPath::new(format!("`{text}` is not an event path"))
                    .help("a path is made of names (letters, digits, `_`, `-`, `/`) joined by dots, with `[0]` or `[*]` for lists"));
            }
            steps.push(Step::Key(name.to_owned()));
            steps.extend(parse_indices(indices).ok_or_else(|| {
                BadPath::new(format!("`{text}` is not an event path"))
                    .help("lists take `[0]`, `[1]`, … or `[*]`")
            })?);
        }
        let path = Self {
            text: text.to_owned(),
            steps,
        };
        let first = path.first();
        if ENVELOPE.contains(&first) {
            Ok(path)
        } else {
            Err(
                BadPath::new(format!("no event has a top-level field `{first}`")).help(format!(
                    "CloudTrail's fields are under `detail`: `detail.{text}`"
                )),
            )
        }
    }

    /// The path in `InputPathsMap` syntax, `$.detail.userIdentity.arn`.
    pub(crate) fn json_path(&self) -> String {
        format!("$.{}", self.text)
    }

    /// The spelling in the rule file.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the value is always a string that `EventBridge` itself sets.
    pub(crate) fn is_envelope_string(&self) -> bool {
        matches!(self.as_str(), "account" | "region" | "time" | "id")
    }

    fn first(&self) -> &str {
        match self.steps.first() {
            Some(Step::Key(name)) => name,
            _ => "",
        }
    }

    /// The value in an event; `[*]` returns a list.
    pub(crate) fn lookup(&self, event: &Value) -> Option<Value> {
        follow(&self.steps, event)
    }
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/')
}

fn parse_indices(mut text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !text.is_empty() {
        let (index, rest) = text.strip_prefix('[')?.split_once(']')?;
        steps.push(match index {
            "*" => Step::All,
            _ if index.bytes().all(|byte| byte.is_ascii_digit()) => {
                Step::Index(index.parse().ok()?)
            }
            _ => return None,
        });
        text = rest;
    }
    Some(steps)
}

fn follow(steps: &[Step], value: &Value) -> Option<Value> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value.clone());
    };
    match step {
        Step::Key(name) => follow(rest, value.get(name)?),
        Step::Index(index) => follow(rest, value.get(*index)?),
        Step::All => {
            let found: Vec<Value> = value
                .as_array()?
                .iter()
                .filter_map(|item| follow(rest, item))
                .collect();
            (!found.is_empty()).then_some(Value::Array(found))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn follows_names_indices_and_stars() {
        let event = json!({"detail": {"items": [{"id": "a"}, {"id": "b"}], "requested-by": 7}});
        let look = |path: &str| EventPath::parse(path).unwrap().lookup(&event);
        assert_eq!(look("detail.items[1].id"), Some(json!("b")));
        assert_eq!(look("detail.items[*].id"), Some(json!(["a", "b"])));
        assert_eq!(look("detail.requested-by"), Some(json!(7)));
        assert_eq!(look("detail.items[2].id"), None);
        assert_eq!(look("detail.absent"), None);
    }

    #[test]
    fn refuses_what_an_input_transformer_refuses() {
        for bad in [
            "",
            "$.detail.x",
            "detail..x",
            "detail.x[",
            "detail.x[-1]",
            "detail.x[1:2]",
            "detail['x']",
            "detail.*",
            "detail.a b",
            "detail.x[0]y",
        ] {
            assert!(EventPath::parse(bad).is_err(), "{bad}");
        }
        assert!(EventPath::parse(&format!("detail.{}", "x".repeat(300))).is_err());
    }

    #[test]
    fn a_path_without_detail_is_explained() {
        let bad = EventPath::parse("userIdentity.arn").unwrap_err();
        assert!(bad.help.unwrap().contains("`detail.userIdentity.arn`"));
    }
}
