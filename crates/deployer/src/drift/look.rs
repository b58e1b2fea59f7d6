//! Our own looks at a stack's rules, roles and queue, because CloudFormation's drift detection
//! compares only what a template sets and reads only what its handlers return.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expected::{Expected, ExpectedRole, ExpectedRule};
use super::report::Difference;
use super::settle::Source;
use crate::code::DriftCode;
use crate::fleet::document::{same_document, same_pattern, same_policy};
use crate::fleet::resolve::Context;
use crate::ports::{
    EventRule, PropertyDifference, ResourceDrift, ResourceDriftStatus, RoleDetails,
};
use crate::restore::{StackAddress, in_account};

/// A stack to look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked<'a> {
    /// Name of its stack set, or its own.
    pub(super) part: &'a str,
    pub(super) address: &'a StackAddress<'a>,
    pub(super) context: Context<'a>,
}

impl Looked<'_> {
    fn difference(&self, code: DriftCode, message: String) -> Difference {
        Difference::new(code, message, self.address.revert_drift())
            .part(self.part)
            .at(self.address.location)
    }

    /// A rule that exists but differs.
    fn changed_rule(
        &self,
        rule: &ExpectedRule,
        found: &EventRule,
        differences: Vec<PropertyDifference>,
    ) -> Difference {
        let is_off = found.state == "DISABLED" && rule.state != found.state;
        let side = |value: fn(&PropertyDifference) -> &str| {
            let all = differences.iter();
            let all: Vec<String> = all
                .map(|it| format!("{}: {}", it.path, value(it)))
                .collect();
            all.join("; ")
        };
        let (expected, actual) = (side(|it| &it.expected), side(|it| &it.actual));
        let paths: Vec<&str> = differences.iter().map(|it| it.path.as_str()).collect();
        let (code, what) = if is_off {
            (DriftCode::RuleDisabled, "is disabled".to_owned())
        } else {
            let what = format!("was changed: {}", paths.join(", "));
            (DriftCode::RuleChanged, what)
        };
        let difference = self.difference(code, format!("{} {what}", in_words(rule)));
        let mut difference = difference.values(expected, actual);
        difference.rules = rule.rule.iter().cloned().collect();
        difference.resource = Some(ResourceDrift {
            logical_id: rule.logical_id.clone(),
            physical_id: Some(found.name.clone()),
            resource_type: "AWS::Events::Rule".to_owned(),
            status: ResourceDriftStatus::Modified,
            reason: None,
            differences,
            expected: None,
            actual: None,
        });
        difference
    }

    /// A rule that doesn't exist.
    pub(super) fn missing_rule(&self, rule: &ExpectedRule) -> Difference {
        let message = format!("{} does not exist", in_words(rule));
        let mut difference = self.difference(DriftCode::RuleMissing, message);
        difference = difference.values("a rule", "none");
        difference.rules = rule.rule.iter().cloned().collect();
        difference.resource = Some(ResourceDrift {
            logical_id: rule.logical_id.clone(),
            physical_id: None,
            resource_type: "AWS::Events::Rule".to_owned(),
            status: ResourceDriftStatus::Deleted,
            reason: None,
            differences: Vec::new(),
            expected: None,
            actual: None,
        });
        difference
    }

    /// The rule of the list that a template's rule became.
    pub(super) fn find<'r>(
        &self,
        rule: &ExpectedRule,
        listed: &'r [EventRule],
    ) -> Option<&'r EventRule> {
        let has_pattern = |found: &&EventRule| self.has_pattern(rule, found);
        let named: Vec<&EventRule> = listed
            .iter()
            .filter(|found| rule.is_named(&self.context, &found.name))
            .collect();
        let exact = named.iter().copied().find(has_pattern);
        let by_pattern = || {
            // Somebody recreated it under another name.
            let unnamed = !rule.has_fixed_name();
            listed.iter().filter(|_| unnamed).find(has_pattern)
        };
        exact.or_else(|| named.first().copied()).or_else(by_pattern)
    }

    fn has_pattern(&self, rule: &ExpectedRule, found: &EventRule) -> bool {
        match (&rule.pattern, &found.pattern) {
            (Some(expected), Some(actual)) => same_pattern(&self.context.resolve(expected), actual),
            (None, None) => true,
            _ => false,
        }
    }

    /// Compares state and pattern.
    pub(super) fn compare_rule(
        &self,
        rule: &ExpectedRule,
        found: &EventRule,
    ) -> Option<Difference> {
        let mut differences = Vec::new();
        if found.state != rule.state {
            differences.push(property("/State", &rule.state, &found.state));
        }
        if !self.has_pattern(rule, found) {
            let text = |pattern: Option<&Value>| {
                pattern.map_or_else(|| "null".to_owned(), Value::to_string)
            };
            let expected = rule.pattern.as_ref().map(|it| self.context.resolve(it));
            let (expected, actual) = (text(expected.as_ref()), text(found.pattern.as_ref()));
            differences.push(property("/EventPattern", &expected, &actual));
        }
        (!differences.is_empty()).then(|| self.changed_rule(rule, found, differences))
    }

    /// Compares the targets that EventBridge lists.
    pub(super) fn compare_targets(
        &self,
        rule: &ExpectedRule,
        found: &EventRule,
        targets: &[Value],
    ) -> Option<Difference> {
        let expected = self.context.resolve(&rule.targets);
        let actual = Value::Array(targets.to_vec());
        if same_pattern(&expected, &actual) {
            return None;
        }
        let property = property("/Targets", &expected.to_string(), &actual.to_string());
        Some(self.changed_rule(rule, found, vec![property]))
    }

    /// Compares the policy of the stack's dead-letter queue.
    pub(super) fn compare_queue_policy(
        &self,
        expected: &Value,
        actual: Option<&Value>,
    ) -> Option<Difference> {
        let expected = self.context.resolve(expected);
        let actual = actual.unwrap_or(&Value::Null);
        if same_policy(&expected, actual) {
            return None;
        }
        let message = "the dead-letter queue's policy differs from the compiled one, so it may refuse \
                       dead letters";
        let difference = self.difference(DriftCode::QueuePolicy, message.to_owned());
        Some(difference.values(expected.to_string(), actual.to_string()))
    }
}

fn property(path: &str, expected: &str, actual: &str) -> PropertyDifference {
    PropertyDifference {
        path: path.to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        kind: "NOT_EQUAL".to_owned(),
    }
}

fn in_words(rule: &ExpectedRule) -> String {
    match &rule.rule {
        Some(id) => format!("rule {id} (AWS::Events::Rule {})", rule.logical_id),
        None => format!("AWS::Events::Rule {}", rule.logical_id),
    }
}

/// A role that a stack of an account may have.
pub(super) struct PossibleRole<'a> {
    pub(super) looked: Looked<'a>,
    pub(super) role: &'a ExpectedRole,
    /// Whether a stack of the account has another template or other parameters, which another check
    /// reports. The role may be its, and then has what that stack says.
    pub(super) is_uncertain: bool,
}

/// Compares an account's roles with those of its stacks. A role belongs to one Region but doesn't
/// say to which, so it may be the one of any of them. A role that no stack can have is somebody
/// else's.
pub(super) fn compare_roles(
    roles: &[RoleDetails],
    possible: &[PossibleRole<'_>],
) -> Vec<Difference> {
    roles
        .iter()
        .filter_map(|role| {
            let candidates: Vec<&PossibleRole<'_>> = possible
                .iter()
                .filter(|it| it.role.is(&it.looked.context, role))
                .collect();
            let first = candidates.first()?;
            let unexpected = |it: &&PossibleRole<'_>| {
                let found = surplus(role, it.role, &it.looked.context);
                found.filter(|(_, command)| command.is_some() || !it.is_uncertain)
            };
            if candidates.iter().any(|it| unexpected(it).is_none()) {
                return None;
            }
            let (message, command) = unexpected(first)?;
            let message = format!("role {} {message}", role.name);
            let looked = first.looked;
            let mut difference = looked.difference(DriftCode::RolePolicies, message);
            if let Some(command) = command {
                let account = &looked.address.location.account;
                difference.fix = in_account(account, &command);
            }
            let expected: Vec<String> =
                first.role.policies(&looked.context).0.into_keys().collect();
            let actual: Vec<&String> = role.inline.keys().chain(&role.attached).collect();
            Some(difference.values(
                format!("policies {}", expected.join(", ")),
                format!(
                    "policies {}",
                    actual
                        .into_iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ))
        })
        .collect()
}

/// What is wrong with a role's policies, and the command that removes a surplus one.
fn surplus(
    role: &RoleDetails,
    expected: &ExpectedRole,
    context: &Context<'_>,
) -> Option<(String, Option<String>)> {
    let (inline, attached) = expected.policies(context);
    let is_attached = |arn: &&String| {
        let mut wanted = attached.as_array().into_iter().flatten();
        wanted.any(|wanted| same_document(wanted, &Value::from(arn.as_str())))
    };
    let name = &role.name;
    if let Some(policy) = role.inline.keys().find(|it| !inline.contains_key(*it)) {
        return Some((
            format!("has an inline policy {policy} that its template doesn't set"),
            Some(format!(
                "iam delete-role-policy --role-name {name} --policy-name {policy}"
            )),
        ));
    }
    if let Some(arn) = role.attached.iter().find(|arn| !is_attached(arn)) {
        return Some((
            format!("has a managed policy {arn} that its template doesn't set"),
            Some(format!(
                "iam detach-role-policy --role-name {name} --policy-arn {arn}"
            )),
        ));
    }
    let differs = inline.iter().find(|(policy, document)| {
        let actual = role.inline.get(*policy);
        actual.is_none_or(|actual| !same_policy(document, actual))
    });
    differs.map(|(policy, _)| {
        let message = format!("has another inline policy {policy} than its template sets");
        (message, None)
    })
}

/// Everything to look at in the stacks of one template.
#[derive(Debug)]
pub(super) struct Looks {
    pub(super) source: Source,
    pub(super) expected: Expected,
}

impl Looks {
    pub(super) fn new(text: &str, parameters: &BTreeMap<String, String>) -> Looks {
        let source = Source::new(text, parameters);
        Looks {
            expected: Expected::of(&source),
            source,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.expected.rules.is_empty() && self.expected.roles.is_empty()
    }
}
