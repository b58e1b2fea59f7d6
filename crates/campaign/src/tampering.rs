//! Direct changes of deployed stacks, outside of their stack sets: the drift check has to find them,
//! and nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use deployer::DriftReport;
use deployer::drift::{Difference, DriftCode};
use fastrand::Rng;
use serde_json::{Value, json};
use simulator::{Fleet, FleetStack};

use crate::differences::is_reachable;
use crate::lab::Lab;

/// Only their stacks are tampered with: the accounts of the others are parts of every chain, where
/// one change shows in many ways.
const STACK_SETS: [&str; 2] = ["gizmos-rules-spoke", "gizmos-rules-local"];

/// Long enough for a stack's own update or deletion.
const A_WHILE: Duration = Duration::from_mins(10);

/// A direct change, and what a drift check has to find.
#[derive(Clone, Debug)]
pub(crate) struct Tampering {
    /// The difference that a drift check must report.
    pub(crate) code: DriftCode,
    pub(crate) account: String,
    pub(crate) region: String,
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} {}", self.code.id(), self.account, self.region)
    }
}

/// Tampers with some stacks, each in an account of its own. Stacks that can't be tampered with in
/// the way that was drawn are left as they are.
pub(crate) fn random(rng: &mut Rng, lab: &Lab) -> Vec<Tampering> {
    let fleet = lab.simulator.fleet();
    let mut accounts = BTreeSet::new();
    let mut done = Vec::new();
    for _ in 0..rng.usize(1..4) {
        let stacks: Vec<&FleetStack> = stacks(lab, &fleet)
            .into_iter()
            .filter(|stack| !accounts.contains(&stack.account))
            .collect();
        let Some(stack) = rng.choice(stacks) else {
            break;
        };
        let code = match rng.u8(..5) {
            0 => switch_off_a_rule(rng, lab, stack),
            1 => delete_a_rule(rng, lab, stack),
            2 => change_the_template(lab, stack),
            3 => change_a_parameter(rng, lab, stack),
            _ => delete_the_stack(lab, stack),
        };
        if let Some(code) = code {
            accounts.insert(stack.account.clone());
            let tampering = Tampering {
                code,
                account: stack.account.clone(),
                region: stack.region.clone(),
            };
            done.push((tampering, stack));
        }
    }
    lab.simulator.advance(A_WHILE);
    let after = lab.simulator.fleet();
    done.retain(|(tampering, before)| {
        let same = |stack: &&FleetStack| {
            (&stack.account, &stack.region, &stack.name)
                == (&before.account, &before.region, &before.name)
        };
        let source = after.stacks.values().find(same).map(|stack| &stack.source);
        match tampering.code {
            // An update that CloudFormation has rolled back has changed nothing.
            DriftCode::StackTemplate | DriftCode::StackParameters => source != Some(&before.source),
            _ => true,
        }
    });
    done.into_iter().map(|(tampering, _)| tampering).collect()
}

/// The stacks of our current instances.
fn stacks<'f>(lab: &Lab, fleet: &'f Fleet) -> Vec<&'f FleetStack> {
    fleet
        .stack_sets
        .iter()
        .filter(|(name, _)| STACK_SETS.contains(&name.as_str()) && !lab.is_foreign(name))
        .flat_map(|(_, set)| &set.instances)
        .filter(|((account, region), instance)| {
            instance.status == "CURRENT" && is_reachable(fleet, account, region)
        })
        .filter_map(|(_, instance)| fleet.stacks.get(instance.stack.as_ref()?))
        .collect()
}

/// A name of a rule of the stack, as its template makes it.
fn a_rule(rng: &mut Rng, lab: &Lab, stack: &FleetStack) -> Option<String> {
    let call = |action: &str, input: Value| {
        let (account, region) = (&stack.account, &stack.region);
        (lab.simulator).act(account, region, "cloudformation", action, &input)
    };
    let resources = call("ListStackResources", json!({"StackName": stack.name})).ok()?;
    let names: Vec<String> = resources
        .get("StackResourceSummaries")?
        .as_array()?
        .iter()
        .filter(|resource| resource["ResourceType"] == "AWS::Events::Rule")
        .filter_map(|resource| resource["PhysicalResourceId"].as_str())
        .map(str::to_owned)
        .collect();
    rng.choice(names)
}

fn events(lab: &Lab, stack: &FleetStack, action: &str, input: &Value) -> Option<Value> {
    let (account, region) = (&stack.account, &stack.region);
    (lab.simulator)
        .act(account, region, "events", action, input)
        .ok()
}

fn switch_off_a_rule(rng: &mut Rng, lab: &Lab, stack: &FleetStack) -> Option<DriftCode> {
    let rule = a_rule(rng, lab, stack)?;
    events(lab, stack, "DisableRule", &json!({"Name": rule}))?;
    Some(DriftCode::ResourceModified)
}

fn delete_a_rule(rng: &mut Rng, lab: &Lab, stack: &FleetStack) -> Option<DriftCode> {
    let rule = a_rule(rng, lab, stack)?;
    let targets = events(lab, stack, "ListTargetsByRule", &json!({"Rule": rule}))?;
    let ids: Vec<&Value> = targets
        .get("Targets")?
        .as_array()?
        .iter()
        .map(|target| &target["Id"])
        .collect();
    events(
        lab,
        stack,
        "RemoveTargets",
        &json!({"Rule": rule, "Ids": ids}),
    )?;
    events(lab, stack, "DeleteRule", &json!({"Name": rule}))?;
    Some(DriftCode::ResourceDeleted)
}

/// Updates a stack directly, to this template or the one it has.
fn update(
    lab: &Lab,
    stack: &FleetStack,
    template: Option<&Value>,
    parameters: &Value,
) -> Option<Value> {
    let input = json!({
        "StackName": stack.name,
        "TemplateBody": template.map(ToString::to_string),
        "UsePreviousTemplate": template.is_none().to_string(),
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    });
    let (account, region) = (&stack.account, &stack.region);
    (lab.simulator)
        .act(account, region, "cloudformation", "UpdateStack", &input)
        .ok()
}

/// The parameters as they are, one of them with another value.
fn parameters(stack: &FleetStack, other: Option<&str>) -> Value {
    let all = stack.source.parameters().iter();
    all.map(|(key, value)| {
        let value = if other == Some(key) {
            format!("{value}-elsewhere")
        } else {
            value.clone()
        };
        json!({"ParameterKey": key, "ParameterValue": value})
    })
    .collect()
}

fn change_the_template(lab: &Lab, stack: &FleetStack) -> Option<DriftCode> {
    let mut template: Value = serde_json::from_str(stack.source.template()).ok()?;
    let resources = template.get_mut("Resources")?.as_object_mut()?;
    let topic = json!({"Type": "AWS::SNS::Topic", "Properties": {}});
    resources.insert("Backdoor".to_owned(), topic);
    update(lab, stack, Some(&template), &parameters(stack, None))?;
    Some(DriftCode::StackTemplate)
}

fn change_a_parameter(rng: &mut Rng, lab: &Lab, stack: &FleetStack) -> Option<DriftCode> {
    let key = rng.choice(stack.source.parameters().keys())?;
    update(lab, stack, None, &parameters(stack, Some(key)))?;
    Some(DriftCode::StackParameters)
}

fn delete_the_stack(lab: &Lab, stack: &FleetStack) -> Option<DriftCode> {
    let (account, region) = (&stack.account, &stack.region);
    let input = json!({"StackName": stack.name});
    (lab.simulator)
        .act(account, region, "cloudformation", "DeleteStack", &input)
        .ok()?;
    Some(DriftCode::StackGone)
}

/// What a report overlooks, or finds where nothing was done.
pub(crate) fn misjudged(report: &DriftReport, done: &[Tampering]) -> Vec<String> {
    let is_at = |difference: &Difference, tampering: &Tampering| {
        (difference.location.as_ref()).is_some_and(|location| location.account == tampering.account)
    };
    // Said to be unchecked, as in an account that has joined without the access role, is not silent.
    let is_unchecked = |tampering: &Tampering| {
        (report.unchecked.iter()).any(|unchecked| unchecked.what.contains(&tampering.account))
    };
    let overlooked = done.iter().filter(|tampering| {
        !is_unchecked(tampering)
            && !report.differences.iter().any(|difference| {
                is_at(difference, tampering)
                    && difference.code == tampering.code
                    && (difference.location.as_ref())
                        .is_some_and(|location| location.region == tampering.region)
            })
    });
    let false_alarms = report
        .differences
        .iter()
        .filter(|difference| !done.iter().any(|tampering| is_at(difference, tampering)));
    overlooked
        .map(|tampering| format!("{tampering} was overlooked"))
        .chain(false_alarms.map(|difference| {
            let location = difference.location.as_ref();
            let location = location.map_or_else(String::new, |location| format!(" in {location}"));
            format!(
                "{}{location} is no drift: {}",
                difference.code.id(),
                difference.message
            )
        }))
        .collect()
}
