//! Events caused by other people, the organization or AWS during a run.

use serde_json::{Map, Value, json};

use super::{Event, Faults, State, When};
use crate::clock::Due;
use crate::cloudformation::{self, StackOf};
use crate::wire::api::Caller;
use crate::world::World;

/// A scheduled event that is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    generation: u64,
    index: usize,
}

/// Replaces the faults and schedules their events.
pub(crate) fn start(world: &mut World, faults: Faults) {
    let generation = world.faults.generation + 1;
    for (index, scheduled) in faults.schedule.iter().enumerate() {
        if let When::AtSecond(seconds) = scheduled.when {
            let due = Due::Fault(Planned { generation, index });
            world.clock.after_seconds(seconds, due);
        }
    }
    let environment = &mut world.services.environment;
    environment.surprises.clone_from(&faults.surprises);
    environment.trails_off.clone_from(&faults.trails_off);
    let counts = std::mem::take(&mut world.faults.counts);
    let happened = std::mem::take(&mut world.faults.happened);
    world.faults = State::new(faults, world.config.seed, generation);
    world.faults.counts = counts;
    world.faults.happened = happened;
}

/// Triggers a scheduled event.
pub(crate) fn due(world: &mut World, planned: Planned) {
    if world.faults.generation != planned.generation {
        return;
    }
    let scheduled = world.faults.faults.schedule.get(planned.index);
    if let Some(event) = scheduled.map(|scheduled| scheduled.event.clone()) {
        // `happen` has recorded the outcome.
        happen(world, &event).unwrap_or_default();
    }
}

/// Triggers an event, and records and returns its outcome. An event that is impossible now, such as
/// stopping an operation when none runs, is recorded as having done nothing.
pub(crate) fn happen(world: &mut World, event: &Event) -> Result<String, String> {
    let name = event.name();
    let now = world.clock.now();
    let outcome = carry_out(world, event);
    let record = match &outcome {
        Ok(what) => {
            world.faults.count(name);
            format!("{name}: {what}")
        }
        Err(why) => {
            world.faults.count("nothing_to_do");
            format!("{name}: nothing to do: {why}")
        }
    };
    world.faults.happened.push((now, record));
    outcome
}

fn carry_out(world: &mut World, event: &Event) -> Result<String, String> {
    match event {
        Event::SetAccountState { account, state } => {
            crate::services::organizations::set_state(&mut world.services, account, state)?;
            Ok(format!("{account} is {state}"))
        }
        Event::MoveAccount { account, to } => {
            crate::services::organizations::move_account(&mut world.services, account, to)?;
            Ok(format!("{account} is in {to}"))
        }
        Event::CreateAccount {
            name,
            organizational_unit,
        } => crate::services::organizations::create_account(
            &mut world.services,
            name,
            organizational_unit,
            None,
        )
        .map_err(|error| error.message),
        Event::SetRegion {
            region,
            enabled,
            account,
        } => {
            world.set_region(region, account.as_deref(), *enabled)?;
            Ok(format!(
                "{region} is {} in {}",
                if *enabled { "on" } else { "off" },
                account.as_deref().unwrap_or("every account")
            ))
        }
        Event::StopOperation { stack_set } => {
            cloudformation::stop_running(&mut world.stage(), stack_set.as_deref())
        }
        Event::StickOperation { stack_set } => {
            cloudformation::stick_running(&mut world.stage(), stack_set.as_deref())
        }
        Event::Call {
            account,
            region,
            service,
            action,
            input,
        } => {
            let caller = administrator(account, region);
            call(world, &caller, service, action, input)
        }
        Event::UpdateStack {
            stack,
            template_body,
        } => on_stack(
            world,
            stack,
            "UpdateStack",
            json!({
                "TemplateBody": template_body,
                "Capabilities": ["CAPABILITY_NAMED_IAM"],
            }),
        ),
        Event::DeleteStack { stack } => on_stack(world, stack, "DeleteStack", json!({})),
        Event::EditResource {
            stack,
            logical_id,
            properties,
        } => edit_resource(world, stack, logical_id.as_deref(), Some(properties)),
        Event::DeleteResource { stack, logical_id } => {
            edit_resource(world, stack, logical_id.as_deref(), None)
        }
    }
}

fn administrator(account: &str, region: &str) -> Caller {
    Caller {
        account: account.to_owned(),
        region: region.to_owned(),
        arn: format!("arn:aws:iam::{account}:root"),
        role: None,
        session_policy: None,
    }
}

fn call(
    world: &mut World,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<String, String> {
    match world.call(caller, service, action, input) {
        Ok(_) => Ok(format!("{service}:{action} by {}", caller.account)),
        Err(error) => Err(format!("{}: {}", error.code, error.message)),
    }
}

fn on_stack(
    world: &mut World,
    stack: &StackOf,
    action: &str,
    mut input: Value,
) -> Result<String, String> {
    let id = world.cloudformation.stack_of(stack)?;
    if let Some(fields) = input.as_object_mut() {
        fields.insert(
            "StackName".to_owned(),
            Value::String(id.as_ref().to_owned()),
        );
    }
    let caller = administrator(&stack.account, &stack.region);
    call(world, &caller, "cloudformation", action, &input)
}

fn edit_resource(
    world: &mut World,
    stack: &StackOf,
    logical_id: Option<&str>,
    properties: Option<&Map<String, Value>>,
) -> Result<String, String> {
    let id = world.cloudformation.stack_of(stack)?;
    cloudformation::edit_resource(&mut world.stage(), &id, logical_id, properties)
}
