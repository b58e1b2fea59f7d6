//! Changes to the stack of an instance, past its stack set.

use fastrand::Rng;
use serde_json::{Value, json};
use simulator::{FleetStack, StackOf};

use super::A_WHILE;
use crate::lab::Lab;

fn found(lab: &Lab, of: &StackOf) -> Option<FleetStack> {
    let fleet = lab.simulator.fleet();
    let set = fleet.stack_sets.get(&of.name)?;
    let location = (of.account.clone(), of.region.clone());
    let stack = set.instances.get(&location)?.stack.as_ref()?;
    fleet.stacks.get(stack).cloned()
}

fn cloudformation(lab: &Lab, of: &StackOf, action: &str, input: &Value) -> Option<Value> {
    let (account, region) = (&of.account, &of.region);
    let answer = lab
        .simulator
        .act(account, region, "cloudformation", action, input);
    answer.ok()
}

/// Updates a stack directly, with a new template or its present one. `None` if CloudFormation refuses
/// it, or rolls it back, so that nothing changed.
fn update(
    lab: &Lab,
    of: &StackOf,
    before: &FleetStack,
    template: Option<&Value>,
    parameters: &Value,
) -> Option<()> {
    let input = json!({
        "StackName": before.name,
        "TemplateBody": template.map(ToString::to_string),
        "UsePreviousTemplate": template.is_none().to_string(),
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    });
    cloudformation(lab, of, "UpdateStack", &input)?;
    lab.simulator.advance(A_WHILE);
    let after = found(lab, of);
    after
        .is_none_or(|after| after.source != before.source)
        .then_some(())
}

/// The present parameters, one of them with another value.
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

/// Adds a topic to the template.
pub(super) fn change_template(_: &mut Rng, lab: &Lab, of: &StackOf) -> Option<()> {
    let stack = found(lab, of)?;
    let mut template: Value = serde_json::from_str(stack.source.template()).ok()?;
    let resources = template.get_mut("Resources")?.as_object_mut()?;
    let topic = json!({"Type": "AWS::SNS::Topic", "Properties": {}});
    resources.insert("Backdoor".to_owned(), topic);
    update(lab, of, &stack, Some(&template), &parameters(&stack, None))
}

/// Gives a parameter another value.
pub(super) fn change_parameter(rng: &mut Rng, lab: &Lab, of: &StackOf) -> Option<()> {
    let stack = found(lab, of)?;
    let key = rng.choice(stack.source.parameters().keys())?;
    update(lab, of, &stack, None, &parameters(&stack, Some(key)))
}

/// Deletes the stack.
pub(super) fn delete(_: &mut Rng, lab: &Lab, of: &StackOf) -> Option<()> {
    let stack = found(lab, of)?;
    let input = json!({"StackName": stack.name});
    cloudformation(lab, of, "DeleteStack", &input)?;
    Some(())
}
