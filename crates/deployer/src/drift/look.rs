//! Our own looks at a stack's rules, roles and queue, because CloudFormation's drift detection
//! compares only what a template sets and reads only what its handlers return.

use std::collections::BTreeMap;

use remedy::Remedy;
use serde_json::Value;

use super::expected::{Expected, ExpectedRole, ExpectedRule};
use super::report::Difference;
use super::settle::Source;
use crate::code::DriftCode;
use crate::fleet::document::{same_document, same_pattern, same_policy};
use crate::fleet::resolve::Context;
use crate::health::delivery::compare_queue;
use crate::ports::{
    EventRule, Location, PropertyDifference, QueueState, ResourceDrift, ResourceDriftStatus,
    RoleDetails,
};
use crate::restore::{StackAddress, in_account};

/// A stack to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looked<'a> {
    /// Name of its stack set, or its own.
    pub(crate) part: &'a str,
    pub(crate) address: &'a StackAddress<'a>,
    pub(crate) context: Context<'a>,
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
    pub(crate) fn missing_rule(&self, rule: &ExpectedRule) -> Difference {
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
    pub(crate) fn find<'r>(
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
            (Some(expected), Some(actual)) => expected.is(&self.context, actual),
            (None, None) => true,
            _ => false,
        }
    }

    /// Compares state and pattern.
    pub(crate) fn compare_rule(
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
            let expected = rule.pattern.as_ref().map(|it| it.resolve(&self.context));
            let (expected, actual) = (text(expected.as_deref()), text(found.pattern.as_deref()));
            differences.push(property("/EventPattern", &expected, &actual));
        }
        (!differences.is_empty()).then(|| self.changed_rule(rule, found, differences))
    }

    /// Compares the targets that EventBridge lists.
    pub(crate) fn compare_targets(
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

    /// Compares the stack's dead-letter queue.
    pub(crate) fn compare_queue(
        &self,
        expected: &Expected,
        url: &str,
        actual: &QueueState,
    ) -> Vec<Difference> {
        let resolved = |value: &Option<Value>| value.as_ref().map(|it| self.context.resolve(it));
        let queue = resolved(&expected.queue).unwrap_or_default();
        let policy = resolved(&expected.queue_policy);
        let found = compare_queue(&queue, policy.as_ref(), actual).into_iter();
        found
            .map(|it| {
                let name = url.rsplit('/').next().unwrap_or(url);
                let message = format!("dead letters {name}: {}", it.message);
                let mut difference = self.difference(it.code, message);
                if let Some(command) = it.reset(url) {
                    let Location { account, region } = self.address.location;
                    let command = format!("{command} --region {region}");
                    difference.fix = in_account(account, &command);
                }
                difference.values(it.expected, it.actual)
            })
            .collect()
    }

    /// A rule on a bus of the fleet's own that no template sets.
    pub(crate) fn unexpected_rule(
        &self,
        bus: &str,
        rule: &EventRule,
        targets: &[Value],
    ) -> Difference {
        let texts = |name: &str| -> Vec<&str> {
            let values = targets.iter().filter_map(|target| target.get(name));
            values.filter_map(Value::as_str).collect()
        };
        let name = &rule.name;
        let arns = texts("Arn");
        let to = if arns.is_empty() {
            "no target".to_owned()
        } else {
            arns.join(", ")
        };
        let message = format!(
            "rule {name} on bus {bus} is in no template: it can send forged alerts or copies of \
             events to {to}"
        );
        let Location { account, region } = self.address.location;
        let on = format!("--event-bus-name {bus} --region {region}");
        let ids = texts("Id");
        let mut fix = Remedy::from("find out who made it and why; then ");
        if !ids.is_empty() {
            let ids = ids.join(" ");
            let command = format!("events remove-targets --rule {name} --ids {ids} {on}");
            fix = fix.and(in_account(account, &command)).words(", then ");
        }
        let command = format!("events delete-rule --name {name} {on}");
        let pattern = rule
            .pattern
            .as_deref()
            .map_or_else(|| "none".to_owned(), Value::to_string);
        let mut difference = self.difference(DriftCode::RuleUnexpected, message);
        difference.fix = fix.and(in_account(account, &command));
        difference.values(
            "no rule",
            format!("state {}, pattern {pattern}", rule.state),
        )
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
pub(crate) struct PossibleRole<'a> {
    pub(crate) looked: Looked<'a>,
    pub(crate) role: &'a ExpectedRole,
    /// Whether a stack of the account has another template or other parameters, which another check
    /// reports. The role may be its, and then has what that stack says.
    pub(crate) is_uncertain: bool,
}

/// Compares an account's roles with those of its stacks. A role belongs to one Region but doesn't
/// say to which, so it may be the one of any of them. A role that no stack can have is somebody
/// else's.
pub(crate) fn compare_roles(
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
    if let Some(boundary) = &role.boundary {
        return Some((
            format!("has a permissions boundary {boundary} that its template doesn't set"),
            Some(format!(
                "iam delete-role-permissions-boundary --role-name {}",
                role.name
            )),
        ));
    }
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
    if let Some((policy, _)) = differs {
        let message = format!("has another inline policy {policy} than its template sets");
        return Some((message, None));
    }
    if !same_policy(&expected.trust(context), &role.trust) {
        let message = "has another trust policy than its template sets".to_owned();
        return Some((message, None));
    }
    let wanted = attached.as_array().into_iter().flatten();
    let mut missing = wanted.filter(|wanted| {
        let mut actual = role.attached.iter();
        !actual.any(|arn| same_document(wanted, &Value::from(arn.as_str())))
    });
    missing.next().map(|arn| {
        let message = format!("lacks the managed policy {arn} that its template sets");
        (message, None)
    })
}

/// Everything to look at in the stacks of one template.
#[derive(Debug)]
pub(crate) struct Looks {
    pub(crate) source: Source,
    pub(crate) expected: Expected,
}

impl Looks {
    pub(crate) fn new(text: &str, parameters: &BTreeMap<String, String>) -> Looks {
        let source = Source::new(text, parameters);
        Looks {
            expected: Expected::of(&source),
            source,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.expected.rules.is_empty() && self.expected.roles.is_empty()
    }
}
