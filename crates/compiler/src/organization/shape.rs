//! The fields of the organization file, for `read` and for the JSON Schema that editors use.

use serde_json::{Value, json};
use syntax::{Field, FieldType, Shape};

const ACCOUNT: FieldType = FieldType::Pattern("^[0-9]{12}$");
const REGION: FieldType = FieldType::Pattern("^[a-z]{2}(-[a-z]+){1,2}-[0-9]{1,2}$");
const UNIT: FieldType = FieldType::Pattern("^ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}$");
const UNIT_OR_ROOT: FieldType =
    FieldType::Pattern("^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$");
const NAME: FieldType = FieldType::Pattern("^[a-z][a-z0-9-]{0,39}$");

/// The top-level mapping.
pub(super) static ORGANIZATION: Shape = Shape::of(&[
    Field::required(
        "version",
        "The version of the format: 1.",
        FieldType::Exactly(1),
    ),
    Field::required(
        "organization",
        "The organization's id; `aws organizations describe-organization` prints it.",
        FieldType::Pattern("^o-[a-z0-9]{10,32}$"),
    ),
    Field::required(
        "root",
        "The root's id; `aws organizations list-roots` prints it.",
        FieldType::Pattern("^r-[a-z0-9]{4,32}$"),
    ),
    Field::optional(
        "installation",
        "Name of this installation, a tag of its stack sets: a deployment changes nothing of another one. Default: gizmos.",
        NAME,
    ),
    Field::required(
        "home_region",
        "Region of the hub, the trail and the log bucket; one of `regions`.",
        REGION,
    ),
    Field::required(
        "regions",
        "The watched Regions, or `enabled` for all that are enabled in the management account. A list needs us-east-1 (IAM, Organizations, root sign-ins), and us-east-2, eu-north-1 and ap-southeast-2 for other console sign-ins.",
        FieldType::Either(&FieldType::Word(&["enabled"]), &FieldType::List(1, &REGION)),
    ),
    Field::required(
        "accounts",
        "The accounts with a special role. Quote the ids: some begin with a zero.",
        FieldType::Mapping(&ACCOUNTS),
    ),
    Field::required(
        "targets",
        "Which member accounts are watched. The management account always is.",
        FieldType::Mapping(&TARGETS),
    ),
    Field::optional(
        "topology",
        "`hub`: accounts forward to one account, which detects and notifies. `local`: topics and detections everywhere.",
        FieldType::Word(&["hub", "local"]),
    ),
    Field::optional(
        "forward",
        "`exact`: forward only the events that a rule matches. `broad`: all events with the sources and names of the rules.",
        FieldType::Word(&["exact", "broad"]),
    ),
    Field::optional(
        "publish",
        "`role`: rules publish alerts with a role. `policy`: without a role, the topics' policies admit the rules.",
        FieldType::Word(&["role", "policy"]),
    ),
    Field::optional(
        "findings",
        "Where findings of all accounts arrive once. Without it, those of Security Hub, GuardDuty and the like alert once for the account and again for its administrator.",
        FieldType::Mapping(&FINDINGS),
    ),
    Field::optional(
        "deployers",
        "ARNs of the roles that deploy. Everybody else who changes what Gizmos deployed raises an alert.",
        FieldType::List(
            1,
            &FieldType::Pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,576}$"),
        ),
    ),
    Field::optional(
        "access_role",
        "The role in member accounts that the management account may assume, for read access.",
        FieldType::Pattern("^[A-Za-z0-9+=,.@_-]{1,64}$"),
    ),
    Field::optional(
        "trail",
        "The organization's trail.",
        FieldType::Mapping(&TRAIL),
    ),
    Field::required(
        "topics",
        "Who receives alerts. Every severity needs a topic.",
        FieldType::List(1, &FieldType::Mapping(&TOPIC)),
    ),
    Field::optional(
        "waves",
        "The order of deployment; accounts in no wave come last.",
        FieldType::List(0, &FieldType::Mapping(&WAVE)),
    ),
    Field::optional(
        "artifacts",
        "A bucket in the management account for templates that are too large for a request. Without it, they are split.",
        FieldType::Mapping(&ARTIFACTS),
    ),
    Field::optional(
        "drift_schedule",
        "When CloudFormation detects drift: a rate or cron expression of EventBridge Scheduler, in UTC. Default: never.",
        FieldType::Pattern(r"^(cron|rate)\(.+\)$"),
    ),
]);

pub(super) static ACCOUNTS: Shape = Shape::of(&[
    Field::required(
        "management",
        "Owns the organization and the trail.",
        ACCOUNT,
    ),
    Field::required("log_archive", "Stores the trail's log files.", ACCOUNT),
    Field::required(
        "hub",
        "Runs the detections and sends the alerts; not the management account.",
        ACCOUNT,
    ),
]);

pub(super) static FINDINGS: Shape = Shape::of(&[
    Field::required(
        "account",
        "The delegated administrator of Security Hub, GuardDuty, Inspector, Macie and Access Analyzer.",
        ACCOUNT,
    ),
    Field::required(
        "region",
        "The aggregation Region of Security Hub; a watched one.",
        REGION,
    ),
]);

pub(super) static TARGETS: Shape = Shape::of(&[
    Field::required(
        "organizational_units",
        "Organizational units with everything below them; the root's id means every account.",
        FieldType::List(1, &UNIT_OR_ROOT),
    ),
    Field::optional(
        "exclude_accounts",
        "Accounts in these units that are not watched. With any, automatic deployment is off, and new accounts wait for a deployment.",
        FieldType::List(0, &ACCOUNT),
    ),
]);

pub(super) static TRAIL: Shape = Shape::of(&[
    Field::optional(
        "existing",
        "The ARN of an organization trail that is already there. Gizmos then deploys none; `name` and `retention_days` are its owner's.",
        FieldType::Pattern(
            "^arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:[0-9]{12}:trail/[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$",
        ),
    ),
    Field::optional(
        "name",
        "The trail's name.",
        FieldType::Pattern("^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$"),
    ),
    Field::optional(
        "retention_days",
        "Days after which log files are deleted.",
        FieldType::Number(1, 36_500),
    ),
    Field::optional(
        "bucket",
        "The log bucket's name. Default: made from the ids; with `existing`, none, and no rule protects it.",
        FieldType::Pattern("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"),
    ),
]);

pub(super) static TOPIC: Shape = Shape::of(&[
    Field::required(
        "name",
        "The topic is called `gizmos-<name>` on AWS, and `gizmos-local-<name>` without a hub.",
        NAME,
    ),
    Field::required(
        "severities",
        "Severities that it receives, unless a rule lists its topics.",
        FieldType::List(
            0,
            &FieldType::Word(&["informational", "low", "medium", "high", "critical"]),
        ),
    ),
    Field::optional(
        "subscriptions",
        "Who receives the alerts.",
        FieldType::List(0, &FieldType::Mapping(&SUBSCRIPTION)),
    ),
]);

pub(super) static SUBSCRIPTION: Shape = Shape::of(&[
    Field::required(
        "protocol",
        "How alerts are delivered.",
        FieldType::Word(&["email", "https", "sqs"]),
    ),
    Field::required(
        "endpoint",
        "An e-mail address, an https address, or the ARN of a standard queue.",
        FieldType::Pattern(r"^(\S+@\S+\.\S+|https://\S+|arn:\S+:sqs:\S+)$"),
    ),
]);

pub(super) static WAVE: Shape = Shape {
    fields: &[
        Field::required("name", "The wave's name in plans and reports.", NAME),
        Field::optional(
            "organizational_units",
            "Organizational units in the wave.",
            FieldType::List(0, &UNIT),
        ),
        Field::optional(
            "accounts",
            "Accounts in the wave.",
            FieldType::List(0, &ACCOUNT),
        ),
        Field::optional(
            "soak_minutes",
            "Minutes to wait after the wave, if it changed existing stacks.",
            FieldType::Number(0, 1440),
        ),
    ],
    any_of: &["organizational_units", "accounts"],
    one_of: &[],
};

pub(super) static ARTIFACTS: Shape = Shape::of(&[
    Field::optional(
        "bucket",
        "The bucket's name. Default: made from account and Region.",
        FieldType::Pattern("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"),
    ),
    Field::optional(
        "administrators",
        "Delegated administrators of StackSets that may write templates to it.",
        FieldType::List(0, &ACCOUNT),
    ),
]);

/// JSON Schema of the organization file, for editors.
pub fn schema() -> Value {
    ORGANIZATION.schema("A Gizmos organization file", json!({}))
}

#[cfg(test)]
mod tests {
    use rules::Severity;

    use super::*;
    use crate::organization::load;

    /// Diagnostic codes for the committed file without the field at `path`.
    fn codes_without(path: &[&str]) -> Vec<&'static str> {
        let committed = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../stacksets/organization.yaml"
        );
        let text = std::fs::read_to_string(committed).unwrap();
        let file = std::sync::Arc::new(syntax::SourceFile::new("a.yaml", text));
        let mut value = syntax::parse(&file).0.unwrap().to_json();
        let (last, steps) = path.split_last().unwrap();
        let parent = steps.iter().fold(&mut value, |value, step| match *step {
            "[]" => &mut value[0],
            step => &mut value[step],
        });
        if parent.is_null() {
            // A section that the committed file doesn't have.
            *parent = json!({});
        }
        parent.as_object_mut().unwrap().remove(*last);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("organization.yaml");
        std::fs::write(&path, value.to_string()).unwrap();
        load(&path)
            .1
            .iter()
            .map(|diagnostic| diagnostic.code)
            .collect()
    }

    fn fields_of(shape: &'static Shape, path: &[&'static str]) {
        for field in shape.fields {
            let path = [path, &[field.name]].concat();
            let is_missed = codes_without(&path).contains(&"organization::missing-field");
            assert_eq!(is_missed, field.is_required, "{path:?}");
            match &field.field_type {
                FieldType::Mapping(below) => fields_of(below, &path),
                FieldType::List(_, FieldType::Mapping(below)) => {
                    fields_of(below, &[path.as_slice(), &["[]"]].concat());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_reader_reports_exactly_the_missing_required_fields() {
        fields_of(&ORGANIZATION, &[]);
    }

    #[test]
    fn schema_words_match_the_types() {
        let severities = TOPIC.fields.iter().find(|field| field.name == "severities");
        let Some(FieldType::List(_, FieldType::Word(words))) = severities.map(|it| &it.field_type)
        else {
            panic!("{severities:?}");
        };
        assert_eq!(words.to_vec(), Severity::ALL.map(Severity::as_str));
    }
}
