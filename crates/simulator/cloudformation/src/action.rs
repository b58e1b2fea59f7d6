//! The table of actions: one row says what an action is called, whether it changes something,
//! whether it is about a stack's resources, and who answers it.

use serde_json::Value;

use super::{Stage, set, stack};
use crate::services::environment::Look;
use crate::services::organizations::MANAGEMENT;
use crate::wire::Effect;
use crate::wire::api::{ApiError, Caller};

/// What an action answers.
pub(crate) type Answer = Result<Value, ApiError>;

/// An action that CloudFormation answers.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    /// Whether the account's stacks must be unfolded first.
    pub(crate) resources: bool,
    /// Reads the parameters and answers.
    pub(crate) answer: fn(&mut Stage<'_>, &Caller, &Value) -> Answer,
}

/// Declares a module's actions. A row is the effect, the request's structure, which has the action's
/// name, whether the stacks are `unfolded` or may stay `folded`, and the handler.
macro_rules! actions {
    ($($effect:ident $request:ident $stacks:ident($handler:path);)+) => {
        pub(crate) const ACTIONS: &[$crate::action::Action] = &[$(
            $crate::action::Action {
                name: stringify!($request),
                effect: $crate::wire::Effect::$effect,
                resources: $crate::action::actions!(@ $stacks),
                answer: |stage, caller, input| {
                    let request: $request = $crate::wire::decode(input)?;
                    $handler(&request, stage, caller)
                },
            }
        ),+];
    };
    (@ folded) => { false };
    (@ unfolded) => { true };
}
pub(crate) use actions;

fn find(name: &str) -> Option<&'static Action> {
    [
        stack::api::ACTIONS,
        stack::change_set::ACTIONS,
        set::api::ACTIONS,
        set::instances::ACTIONS,
        set::listing::ACTIONS,
    ]
    .into_iter()
    .flatten()
    .find(|action| action.name == name)
}

/// Whether the action changes something, as an unknown one might; drift detection does not.
pub fn is_mutating(action: &str) -> bool {
    find(action).is_none_or(|action| action.effect == Effect::Changes)
}

/// Answers one action.
pub fn call(stage: &mut Stage<'_>, caller: &Caller, name: &str, input: &Value) -> Answer {
    let resource = resource(stage, caller, input);
    let permission = format!("cloudformation:{name}");
    crate::services::authorize(stage.services, caller, &permission, &resource)?;
    let action = find(name).ok_or_else(|| ApiError::unknown_action("cloudformation", name))?;
    match (action.resources, action.effect) {
        (false, _) => {}
        (true, Effect::Reads) => stage.look(&caller.account, Look::Anywhere),
        (true, Effect::Changes) => stage.look(&caller.account, Look::ToChange),
    }
    (action.answer)(stage, caller, input)
}

/// The ARN of what an action is about, as far as its parameters show; otherwise `*`.
fn resource(stage: &Stage<'_>, caller: &Caller, input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let (account, region) = (&caller.account, &caller.region);
    if let Some(name) = text("StackSetName") {
        return match stage.cloudformation.sets.find(region, name) {
            Some(set) => set.arn(),
            None => format!("arn:aws:cloudformation:{region}:{MANAGEMENT}:stackset/{name}:*"),
        };
    }
    match text("StackName") {
        Some(name) if name.starts_with("arn:") => name.to_owned(),
        Some(name) => match stage.cloudformation.stacks.find(account, region, name) {
            Some(stack) => stack.id.as_ref().to_owned(),
            None => format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/*"),
        },
        None => "*".to_owned(),
    }
}
