//! The fields of a rule file, for reading, for the order in `format`, and for the editors' JSON
//! Schema.

use std::sync::Arc;

use serde_json::{Value, json};
use syntax::{Field, FieldType, Shape, SourceFile, Unformatted};

/// Longest title, in characters; every alert begins with it.
pub(crate) const MAX_TITLE: usize = 100;
/// Longest description, in characters.
pub(crate) const MAX_DESCRIPTION: usize = 2000;
/// Longest `severity_reason`, in characters.
pub(crate) const MAX_REASON: usize = 500;
/// Longest owner, tag, name and similar text, in characters.
pub(crate) const MAX_WORDS: usize = 200;
/// Longest text of other fields, in characters; the alert's template has a limit as well.
const MAX_TEXT: usize = 32_768;
const TEXTS: FieldType = FieldType::List(0, &FieldType::Text(MAX_TEXT));
const ADDRESS: FieldType = FieldType::Pattern(r"^https://\S+$");

/// The top-level mapping of a rule file.
pub(crate) static RULE: Shape = Shape {
    fields: &[
        Field::required(
            "version",
            "The version of the format: 1.",
            FieldType::Exactly(1),
        ),
        Field::required(
            "id",
            "The file's name without `.yaml`, unique in the library. Becomes the EventBridge rule's name.",
            FieldType::Pattern("^[a-z0-9-]{3,48}$"),
        ),
        Field::required(
            "title",
            "What happened, in one line without a period. Every alert begins with it.",
            FieldType::Text(MAX_TITLE),
        ),
        Field::required(
            "description",
            "What the rule detects and why that matters.",
            FieldType::Text(MAX_DESCRIPTION),
        ),
        Field::required(
            "status",
            "The rule's maturity. A deprecated rule is kept here but not deployed.",
            FieldType::Word(&["experimental", "test", "stable", "deprecated"]),
        ),
        Field::optional(
            "enabled",
            "`false` for a rule that is kept, checked and tested, but not deployed.",
            FieldType::Boolean,
        ),
        Field::required(
            "severity",
            "The impact when it fires; selects the topic. High: look at it now; critical: wake someone up.",
            FieldType::Word(&["informational", "low", "medium", "high", "critical"]),
        ),
        Field::optional(
            "severity_reason",
            "Why this severity, and not a lower or higher one.",
            FieldType::Text(MAX_REASON),
        ),
        Field::optional(
            "owner",
            "The team or address responsible for the rule.",
            FieldType::Text(MAX_WORDS),
        ),
        Field::required(
            "references",
            "https addresses with background; at least one if `status` is `stable`.",
            FieldType::List(0, &ADDRESS),
        ),
        Field::required(
            "false_positives",
            "Harmless situations in which it fires.",
            TEXTS,
        ),
        Field::optional(
            "tags",
            "Free-form tags, such as `attack.t1078.004`, `cis.v3.0.0.4.2` or `service.iam`.",
            TEXTS,
        ),
        Field::optional(
            "runbook",
            "The first steps, one per line, or an https address. Part of every alert; required for severity medium and above.",
            FieldType::Text(MAX_TEXT),
        ),
        Field::required(
            "event_pattern",
            "An event pattern in EventBridge's own language. It must pin `source`.",
            FieldType::Defined("pattern"),
        ),
        Field::optional(
            "read_only",
            "`true` if the rule needs List, Get and Describe calls, which costs money.",
            FieldType::Boolean,
        ),
        Field::optional(
            "message",
            "The alert's text: lines `label: {{ path.of.a.field }}`.",
            FieldType::Text(MAX_TEXT),
        ),
        Field::optional(
            "notify",
            "Names of topics in the organization file. Default: topics by severity.",
            FieldType::List(1, &FieldType::Pattern("^[a-z0-9-]{1,64}$")),
        ),
        Field::optional(
            "respond",
            "The automatic response.",
            FieldType::Mapping(&RESPOND),
        ),
        Field::optional(
            "budget",
            "How many alerts are acceptable; backtests check it.",
            FieldType::Mapping(&BUDGET),
        ),
        Field::optional(
            "exceptions",
            "Known harmless cases that don't alert until the exception expires.",
            FieldType::List(0, &FieldType::Mapping(&EXCEPTION)),
        ),
        Field::optional(
            "imported_from",
            "The origin of an imported rule.",
            FieldType::Mapping(&IMPORTED_FROM),
        ),
        Field::required(
            "tests",
            "Events that match and events that don't, at least one of each.",
            FieldType::List(2, &FieldType::Mapping(&TEST)),
        ),
    ],
    any_of: &["message", "respond"],
    one_of: &[],
};

pub(crate) static RESPOND: Shape = Shape::of(&[Field::required(
    "start_instance",
    "Starts the EC2 instance again with the SSM automation AWS-StartEC2Instance.",
    FieldType::Mapping(&START_INSTANCE),
)]);

pub(crate) static START_INSTANCE: Shape = Shape::of(&[
    Field::required(
        "instance",
        "Path of the instance id in the event, such as `detail.instance-id`.",
        FieldType::Text(254),
    ),
    Field::required(
        "tag",
        "Only instances with this tag are started.",
        FieldType::Mapping(&TAG),
    ),
]);

pub(crate) static TAG: Shape = Shape::of(&[
    Field::required("key", "The tag's key.", FieldType::Text(128)),
    Field::required("value", "The tag's value.", FieldType::Text(256)),
]);

pub(crate) static BUDGET: Shape = Shape::of(&[Field::required(
    "max_alerts_per_day",
    "Most alerts per day (UTC), across all accounts and Regions.",
    FieldType::Number(0, u32::MAX as u64),
)]);

pub(crate) static EXCEPTION: Shape = Shape::of(&[
    Field::required(
        "name",
        "The excepted case; unique in the rule.",
        FieldType::Text(MAX_WORDS),
    ),
    Field::required("reason", "Why it is harmless.", FieldType::Text(MAX_WORDS)),
    Field::required(
        "owner",
        "The person or team responsible for it.",
        FieldType::Text(MAX_WORDS),
    ),
    Field::required(
        "expires",
        "The last day on which it applies.",
        FieldType::Pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    ),
    Field::required(
        "when",
        "One path and the values that don't alert: `{detail.userIdentity.userName: [robot]}`.",
        FieldType::Each(&FieldType::List(1, &FieldType::Text(MAX_TEXT))),
    ),
]);

pub(crate) static IMPORTED_FROM: Shape = Shape::of(&[
    Field::required("format", "The original format.", FieldType::Text(MAX_TEXT)),
    Field::optional(
        "id",
        "The id in the original format.",
        FieldType::Text(MAX_TEXT),
    ),
    Field::optional(
        "author",
        "The original's author.",
        FieldType::Text(MAX_TEXT),
    ),
    Field::optional(
        "license",
        "SPDX identifier of the original's license.",
        FieldType::Text(MAX_TEXT),
    ),
    Field::optional(
        "date",
        "The original's creation date.",
        FieldType::Text(MAX_TEXT),
    ),
    Field::optional(
        "modified",
        "The date of the original's last change.",
        FieldType::Text(MAX_TEXT),
    ),
    Field::optional(
        "references",
        "References that aren't https addresses.",
        TEXTS,
    ),
    Field::optional("losses", "Differences from the original.", TEXTS),
]);

pub(crate) static TEST: Shape = Shape {
    fields: &[
        Field::required(
            "name",
            "What is special about the event, unique in the rule.",
            FieldType::Text(MAX_WORDS),
        ),
        Field::required(
            "expect",
            "Whether the rule must match.",
            FieldType::Word(&["match", "no_match"]),
        ),
        Field::optional(
            "event",
            "The event itself: a CloudTrail record or a whole EventBridge event.",
            FieldType::Object,
        ),
        Field::optional(
            "fixture",
            "A JSON file in the rules folder's `fixtures/`.",
            FieldType::Pattern(r"^[^\\]+\.json$"),
        ),
        Field::optional(
            "like",
            "The name of an earlier test of this rule whose event to use.",
            FieldType::Text(MAX_WORDS),
        ),
        Field::optional(
            "override",
            "Changes to the event of `fixture` or `like`: mappings merge, `null` removes a field, anything else replaces.",
            FieldType::Object,
        ),
        Field::optional(
            "each",
            "One path and several values, `{eventName: [DeleteTrail, StopLogging]}`: one test per value.",
            FieldType::Each(&FieldType::Defined("values")),
        ),
        Field::optional(
            "origin",
            "`recorded`: AWS has recorded such an event. `synthetic`: written from the documentation.",
            FieldType::Word(&["recorded", "synthetic"]),
        ),
        Field::optional(
            "message",
            "The exact expected alert; only with `expect: match`.",
            FieldType::Text(MAX_TEXT),
        ),
    ],
    any_of: &[],
    one_of: &["event", "fixture", "like"],
};

/// The order of an event pattern's top-level fields. Below `detail`, the author's order is kept.
const PATTERN: [&str; 8] = [
    "source",
    "account",
    "region",
    "detail-type",
    "resources",
    "time",
    "detail",
    "$or",
];

/// Formats a rule file's text; see [`syntax::format()`].
pub fn format(file: &Arc<SourceFile>) -> Result<String, Unformatted> {
    syntax::format(file, &|path| match path {
        ["event_pattern"] => PATTERN.to_vec(),
        path => RULE.at(path).map(Shape::names).unwrap_or_default(),
    })
}

/// JSON Schema of rule files, for editors.
pub fn schema() -> Value {
    let words = |about: &str| json!({"description": about, "type": "string"});
    let ignoring = |about: &str| {
        json!({"description": about, "oneOf": [
            {"type": "string"},
            {"type": "object", "properties": {"equals-ignore-case": {"type": "string"}},
             "required": ["equals-ignore-case"], "additionalProperties": false},
        ]})
    };
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    let matcher = json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
        "properties": {
            "prefix": ignoring("Text with this prefix."),
            "suffix": ignoring("Text with this suffix."),
            "equals-ignore-case": words("This text, ignoring case."),
            "wildcard": words("Text in which `*` matches anything."),
            "cidr": words("An address in this CIDR block."),
            "exists": {"description": "Whether the field must be present.", "type": "boolean"},
            "numeric": {"description": "Comparisons: `[\">\", 0, \"<=\", 5]`.", "type": "array", "minItems": 2, "maxItems": 4},
            "anything-but": {
                "description": "Any value but these. A missing field doesn't match: add `{exists: false}` to allow that.",
                "type": ["string", "number", "array", "object"],
            },
        },
    });
    RULE.schema(
        "A Gizmos rule",
        json!({
            "pattern": {
                "type": "object",
                "minProperties": 1,
                "properties": {
                    "$or": {
                        "description": "At least one of these patterns matches.",
                        "type": "array", "minItems": 2, "items": {"$ref": "#/definitions/pattern"},
                    },
                },
                "additionalProperties": {"anyOf": [
                    {"type": "array", "minItems": 1, "items": {"anyOf": [scalar, matcher]}},
                    {"$ref": "#/definitions/pattern"},
                ]},
            },
            "values": {"type": "array", "minItems": 1},
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Severity, Status};

    fn words(shape: &'static Shape, name: &str) -> Vec<&'static str> {
        match shape
            .fields
            .iter()
            .find(|field| field.name == name)
            .map(|it| &it.field_type)
        {
            Some(FieldType::Word(words)) => words.to_vec(),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn schema_words_match_the_types() {
        assert_eq!(words(&RULE, "status"), Status::ALL.map(Status::as_str));
        assert_eq!(
            words(&RULE, "severity"),
            Severity::ALL.map(Severity::as_str)
        );
        assert_eq!(words(&TEST, "origin"), Origin::ALL.map(Origin::as_str));
    }

    #[test]
    fn a_rule_reads_from_what_to_why_to_how() {
        let text = "tests:\n- expect: match\n  name: x\nevent_pattern: {detail: {z: [1], a: [2]}, source: [aws.iam]}\nid: a-rule\nversion: 1\n";
        let file = Arc::new(SourceFile::new("a-rule.yaml", text));
        assert_eq!(
            format(&file).unwrap(),
            "version: 1\nid: a-rule\nevent_pattern: {source: [aws.iam], detail: {z: [1], a: [2]}}\n\
             tests:\n  - name: x\n    expect: match\n"
        );
    }
}
