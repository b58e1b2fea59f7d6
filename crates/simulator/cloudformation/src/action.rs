//! The tables of actions. A row declares an action's name, effect, whether stacks must be unfolded,
//! and its handler.

use serde_json::Value;

use super::stack::permission;
use super::{Stage, set, stack};
use crate::services::environment::Look;
use crate::wire::Effect;
use crate::wire::api::{ApiError, Caller};

/// A handler's output.
pub(crate) type Answer = Result<Value, ApiError>;

/// An action of CloudFormation.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    /// Whether the account's stacks must be unfolded first.
    pub(crate) resources: bool,
    /// Parses the parameters and performs the action.
    pub(crate) answer: fn(&mut Stage<'_>, &Caller, &Value) -> Answer,
}

/// Declares a module's actions. A row has the effect, the request type, named like the action,
/// whether stacks must be `unfolded` or may stay `folded`, and the handler.
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

/// Whether the action is mutating. Unknown actions count as mutating; drift detection doesn't.
pub fn is_mutating(action: &str) -> bool {
    find(action).is_none_or(|action| action.effect == Effect::Changes)
}

/// Authorizes and performs one action.
pub fn call(stage: &mut Stage<'_>, caller: &Caller, name: &str, input: &Value) -> Answer {
    permission::check(stage, caller, name, input)?;
    let action = find(name).ok_or_else(|| ApiError::unknown_action("cloudformation", name))?;
    match (action.resources, action.effect) {
        (false, _) => {}
        (true, Effect::Reads) => stage.look(&caller.account, Look::Anywhere),
        (true, Effect::Changes) => stage.look(&caller.account, Look::ToChange),
    }
    (action.answer)(stage, caller, input)
}
