//! EventBridge quotas, checked per rule so that the diagnostic names the offending rule.
//!
//! The numbers are from <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html> and
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html>.

use std::collections::BTreeSet;

use rules::{Message, Response, Rule};
use serde::Serialize;
use serde_json::Value;
use syntax::Diagnostic;

use crate::structure::DYNAMIC_REFERENCE;

/// Most characters in an event pattern.
pub(crate) const PATTERN: usize = 2048;
/// Most bytes in a template that is passed inline.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub(crate) const TEMPLATE: usize = 51_200;
/// Most bytes in a template that is read from a bucket. The documentation says "1 MB";
/// CloudFormation's error message has this number.
pub(crate) const TEMPLATE_IN_BUCKET: usize = 1_000_000;
/// Most resources in a template.
pub(crate) const RESOURCES: usize = 500;
/// Most bytes in an event bus policy.
pub(crate) const BUS_POLICY: usize = 10_240;
/// Most rules with the `wildcard` operator on one bus.
pub const RULES_WITH_WILDCARD: usize = 30;
const TARGETS: usize = 5;
/// Most characters in a rule's name.
pub(crate) const NAME: usize = 64;
const DESCRIPTION: usize = 512;
const INPUT_TEMPLATE: usize = 8192;
const INPUT_PATHS: usize = 100;
const INPUT_PATH: usize = 256;
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;

/// Most rules on one bus.
pub(crate) fn rules_per_bus(region: &str) -> usize {
    if ["af-south-1", "eu-south-1"].contains(&region) {
        100
    } else {
        300
    }
}

/// The use of a quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Unit and subject, such as `characters of event pattern`.
    pub what: &'static str,
    /// The current size.
    pub used: usize,
    /// The largest size that AWS accepts.
    pub quota: usize,
}

/// The use of EventBridge's per-rule quotas by one rule.
pub fn sizes(rule: &Rule, topics: usize) -> Vec<Size> {
    let size = |what, used, quota| Size { what, used, quota };
    let mut sizes = vec![
        size(
            "characters of event pattern",
            rule.pattern.text().chars().count(),
            PATTERN,
        ),
        size(
            "complexity of wildcards",
            rule.pattern.complexity(),
            eventbridge_pattern::Limits::default().complexity,
        ),
    ];
    if let Some(message) = &rule.message {
        sizes.extend([
            size(
                "characters of input template",
                message.input_template.chars().count(),
                INPUT_TEMPLATE,
            ),
            size("input paths", message.input_paths.len(), INPUT_PATHS),
            size("targets", topics, TARGETS),
        ]);
    }
    sizes
}

/// Checks the per-rule quotas; `name` is the rule's name on AWS.
pub(crate) fn rule(rule: &Rule, name: &str, topics: usize, diagnostics: &mut Vec<Diagnostic>) {
    let mut check = Check { rule, diagnostics };
    check.at_most(
        "the rule's name on AWS",
        name.chars().count(),
        NAME,
        "characters",
    );
    check.at_most(
        "the title",
        rule.title.chars().count(),
        DESCRIPTION,
        "characters",
    );
    check.at_most("the number of topics", topics, TARGETS, "targets");
    check.at_most(
        "the event pattern",
        rule.pattern.text().chars().count(),
        PATTERN,
        "characters",
    );
    check.text("the title", &rule.title);
    match serde_json::from_str(rule.pattern.text()) {
        Ok(pattern) => check.value("the event pattern", &pattern),
        Err(error) => check.error(
            "limit::pattern",
            &format!("the event pattern is not JSON: {error}"),
        ),
    }
    if let Some(message) = &rule.message {
        check.message(message);
    }
    if let Some(Response::StartInstance {
        instance,
        tag_key,
        tag_value,
    }) = &rule.respond
    {
        check.at_most(
            "the path of the instance's id",
            instance.chars().count(),
            INPUT_PATH,
            "characters",
        );
        check.text("the path of the instance's id", instance);
        check.tag(tag_key, tag_value);
    }
}

/// Checks the number of rules on a bus. `rules` has all of them, in a stable order, so that the
/// diagnostic names the same rule every time; and there are `canaries` rules for canaries.
pub(crate) fn bus(
    what: &str,
    regions: &[String],
    canaries: usize,
    rules: &[&Rule],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let region = regions.iter().min_by_key(|region| rules_per_bus(region));
    let most = region.map_or(300, |region| rules_per_bus(region)) - canaries;
    if let Some(first) = rules.get(most) {
        diagnostics.push(
            Diagnostic::error(
                "limit::rules-per-bus",
                format!(
                    "`{}` is one rule too many for {what}: {} rules, the quota is {most}{}",
                    first.id,
                    rules.len(),
                    match canaries {
                        0 => String::new(),
                        count => format!(" beside {count} for canaries"),
                    }
                ),
            )
            .at(first.location.clone())
            .help("remove rules, or merge related patterns into one rule with `$or`"),
        );
    }
    let with_wildcard = rules
        .iter()
        .filter(|rule| has_wildcard(rule.pattern.text()));
    if let Some(first) = with_wildcard.clone().nth(RULES_WITH_WILDCARD) {
        diagnostics.push(
            Diagnostic::error(
                "limit::wildcards-per-bus",
                format!(
                    "`{}` is one rule with `wildcard` too many for {what}: {}, the quota is {RULES_WITH_WILDCARD}",
                    first.id,
                    with_wildcard.count()
                ),
            )
            .at(first.location.clone())
            .help("use `prefix`, `suffix` or `equals-ignore-case` where they are equivalent"),
        );
    }
}

/// Checks the rules on a spoke's default bus, which is shared with other products.
pub(crate) fn forwarders(
    count: usize,
    with_wildcard: usize,
    regions: &[String],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let most = regions
        .iter()
        .map(|region| rules_per_bus(region))
        .min()
        .unwrap_or(300);
    if count > most {
        diagnostics.push(Diagnostic::error(
            "limit::rules-per-bus",
            format!("spokes would have {count} rules on their default bus, the quota is {most}"),
        ));
    }
    if with_wildcard > RULES_WITH_WILDCARD {
        diagnostics.push(
            Diagnostic::error(
                "limit::wildcards-per-bus",
                format!(
                    "spokes would have {with_wildcard} forwarders with `wildcard`, the quota is {RULES_WITH_WILDCARD}"
                ),
            )
            .help("`forward: broad` in the organization file needs no wildcards"),
        );
    }
}

/// The rules of a template that use the `wildcard` operator: the bus as the template writes it, empty
/// for the default bus, and the logical id. A deployed template may be any text.
pub fn rules_with_wildcard(template: &str) -> BTreeSet<(String, String)> {
    let template: Value = serde_json::from_str(template).unwrap_or_default();
    let resources = template.get("Resources").and_then(Value::as_object);
    resources
        .into_iter()
        .flatten()
        .filter(|(_, resource)| {
            let is_rule = resource
                .get("Type")
                .is_some_and(|it| it == "AWS::Events::Rule");
            let pattern = resource.pointer("/Properties/EventPattern");
            is_rule && pattern.is_some_and(|it| has_wildcard(&it.to_string()))
        })
        .map(|(logical_id, resource)| {
            let bus = resource.pointer("/Properties/EventBusName");
            (
                bus.map_or_else(String::new, Value::to_string),
                logical_id.clone(),
            )
        })
        .collect()
}

/// Whether a pattern uses the `wildcard` operator: an object `{"wildcard": …}` inside a list.
pub(crate) fn has_wildcard(pattern: &str) -> bool {
    fn in_term(value: &Value) -> bool {
        match value {
            Value::Object(map) => map.contains_key("wildcard") || map.values().any(in_term),
            Value::Array(items) => items.iter().any(in_term),
            _ => false,
        }
    }
    fn in_fields(value: &Value) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| match value {
                Value::Array(branches) if key == "$or" => branches.iter().any(in_fields),
                Value::Array(terms) => terms.iter().any(in_term),
                _ => in_fields(value),
            }),
            _ => false,
        }
    }
    serde_json::from_str(pattern).is_ok_and(|pattern: Value| in_fields(&pattern))
}

struct Check<'r> {
    rule: &'r Rule,
    diagnostics: &'r mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn error(&mut self, code: &'static str, message: &str) {
        let message = format!("rule `{}`: {message}", self.rule.id);
        self.diagnostics
            .push(Diagnostic::error(code, message).at(self.rule.location.clone()));
    }

    fn at_most(&mut self, what: &str, found: usize, most: usize, unit: &str) {
        if found > most {
            self.error(
                "limit::size",
                &format!("{what} has {found} {unit}, the quota is {most}"),
            );
        }
    }

    fn message(&mut self, message: &Message) {
        let template = &message.input_template;
        self.at_most(
            "the compiled message",
            template.chars().count(),
            INPUT_TEMPLATE,
            "characters",
        );
        self.at_most(
            "the message",
            message.input_paths.len(),
            INPUT_PATHS,
            "different placeholders",
        );
        for path in message.input_paths.values() {
            self.at_most(
                &format!("the path `{path}`"),
                path.chars().count(),
                INPUT_PATH,
                "characters",
            );
        }
        self.text("the message", template);
        let paths = message
            .input_paths
            .iter()
            .map(|(name, path)| (name.clone(), path.clone().into()));
        self.value("the message", &Value::Object(paths.collect()));
    }

    /// A tag is used in an IAM condition, where `${…}` is a policy variable.
    fn tag(&mut self, key: &str, value: &str) {
        let allowed = |text: &str| {
            text.chars()
                .all(|char| char.is_alphanumeric() || " +-=._:/@".contains(char))
        };
        self.at_most("the tag's key", key.chars().count(), TAG_KEY, "characters");
        self.at_most(
            "the tag's value",
            value.chars().count(),
            TAG_VALUE,
            "characters",
        );
        if key.is_empty() || !allowed(key) || !allowed(value) {
            self.error(
                "limit::tag",
                &format!("the tag `{key}: {value}` has characters that tags can't contain"),
            );
        }
    }

    fn text(&mut self, what: &str, text: &str) {
        if text.contains(DYNAMIC_REFERENCE) {
            self.error("limit::dynamic-reference", &format!("{what} has `{DYNAMIC_REFERENCE}`, which CloudFormation would replace with a parameter or secret"),
            );
        }
    }

    /// Checks texts at any depth, and objects that CloudFormation would treat as an intrinsic
    /// function.
    fn value(&mut self, what: &str, value: &Value) {
        match value {
            Value::String(text) => self.text(what, text),
            Value::Array(items) => items.iter().for_each(|item| self.value(what, item)),
            Value::Object(map) => {
                for (key, value) in map {
                    self.text(what, key);
                    self.value(what, value);
                    let function = key == "Ref" || key == "Condition" || key.starts_with("Fn::");
                    if function && map.len() == 1 {
                        self.error("limit::intrinsic-function", &format!("{what} has `{key}` as the only key of an object, which CloudFormation treats as a function"),
                        );
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_wildcard_operator_only() {
        assert!(has_wildcard(
            r#"{"source":["aws.s3"],"detail":{"name":[{"wildcard":"a*b"}]}}"#
        ));
        assert!(has_wildcard(
            r#"{"detail":{"name":[{"anything-but":{"wildcard":"a*"}}]}}"#
        ));
        assert!(has_wildcard(
            r#"{"$or":[{"a":[{"wildcard":"a*"}]},{"b":[1]}]}"#
        ));
        assert!(!has_wildcard(
            r#"{"detail":{"wildcard":["a"],"b":["wildcard"]}}"#
        ));
    }

    #[test]
    fn some_regions_take_fewer_rules() {
        assert_eq!(rules_per_bus("eu-central-1"), 300);
        assert_eq!(rules_per_bus("eu-south-1"), 100);
    }
}
