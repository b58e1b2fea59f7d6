//! Diagnostics of the YAML parser.

use super::lint::Example::{Fields, File, Words};
use super::lint::{Lint, error};

const RULE: super::lint::Example = Words("a file that is YAML 1.2 of plain values");

pub(super) const LINTS: &[Lint] = &[
    error(
        "yaml::syntax",
        "The file is not YAML",
        "The reader stops here, so nothing else in the file is checked.",
        File("version: 1\nid: [example-rule\n"),
        RULE,
    ),
    error(
        "yaml::empty",
        "The file is empty",
        "A rule file without a rule is a mistake; remove the file.",
        File("# nothing yet\n"),
        RULE,
    ),
    error(
        "yaml::documents",
        "More than one document",
        "A file contains one rule, whose id is the file's name.",
        File("version: 1\n---\nversion: 1\n"),
        RULE,
    ),
    error(
        "yaml::duplicate-key",
        "A key occurs twice",
        "YAML forbids it, and parsers differ in which of the two counts.",
        Fields(
            "title: A trail was stopped\nowner: cloud-security\ntags:\n  - service.cloudtrail\ntests: []\n\"title\": Another title\n",
        ),
        RULE,
    ),
    error(
        "yaml::key",
        "A key is not text",
        "Keys are names of fields. YAML would allow lists and mappings as keys.",
        Fields("event_pattern:\n  ? [source]\n  : [aws.cloudtrail]\n"),
        RULE,
    ),
    error(
        "yaml::anchor",
        "Anchors are not supported",
        "With anchors and aliases, a small file can expand to a huge one, and a reviewer must look in two places.",
        Fields("owner: &team cloud-security\n"),
        Fields("owner: cloud-security\n"),
    ),
    error(
        "yaml::alias",
        "Aliases are not supported",
        "Write the value out: with aliases, a few lines can expand to gigabytes.",
        Fields("title: &text A trail was stopped\ndescription: *text\n"),
        RULE,
    ),
    error(
        "yaml::tag",
        "Tags are not supported",
        "A tag such as `!Sub` tells the parser to transform a value. Rule files contain plain values.",
        Fields("owner: !Sub cloud-security\n"),
        RULE,
    ),
    error(
        "yaml::merge-key",
        "Merge keys are not supported",
        "`<<` copies fields from another mapping. Write them out.",
        Fields("event_pattern:\n  <<: {source: [aws.cloudtrail]}\n"),
        RULE,
    ),
    error(
        "yaml::number",
        "A number that JSON can't express",
        "Patterns and events are JSON, which has no infinity and no NaN. In quotes, it is text.",
        Fields("owner: .nan\n"),
        RULE,
    ),
    error(
        "yaml::too-deep",
        "Nested too deeply",
        "Lists and mappings may be nested 64 levels deep; no pattern or event needs more.",
        Words("70 opening brackets"),
        RULE,
    ),
    error(
        "yaml::too-large",
        "The file is too large",
        "A rule file has at most 1 MiB and 100,000 values.",
        Words("a file of two megabytes"),
        RULE,
    ),
];
