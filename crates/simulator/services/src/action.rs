//! The tables of actions. A row declares an action's name, effect, resource and handler.

use serde_json::Value;

use super::environment::{Cloud, Environment};
use crate::organizations::Organization;
use crate::wire::api::{ApiError, Caller};

/// An action with its handler.
pub(crate) type Action = crate::wire::Action<Handler>;

/// Parses the parameters, authorizes the caller and performs the action.
pub(crate) type Handler = fn(&mut Cloud<'_>, &Caller, &Value) -> Answer;

/// A handler's output.
pub(crate) type Answer = Result<Value, ApiError>;

/// What a handler may use besides its service's own state.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) environment: &'a mut Environment,
    pub(crate) organization: &'a Organization,
}

/// The resource of an action that isn't about a single one: `*`.
pub(crate) fn anything<T>(_: &T, _: &Caller) -> String {
    "*".to_owned()
}

/// Declares a service's actions.
///
/// ```text
/// actions! {
///     /// All actions of SNS.
///     pub(crate) ACTIONS of "sns" {
///         Reads ListTopics (anything) sns(list_topics);
///         Changes Publish (itself) services(publish);
///     }
/// }
/// ```
///
/// A row has the [`Effect`](crate::wire::Effect); the request type, named like the action; in
/// parentheses a function from request and caller to the resource's ARN, or `itself` for an action
/// that evaluates policies on its own; and the handler with what it needs:
///
/// - `sns(handler)`: `handler(request, &mut Sns, &mut Context)`, the service's own state, which is
///   the field of that name in [`super::Services`]: the usual case
/// - `context(handler)`: `handler(request, &mut Context)`, for a service without state
/// - `services(handler)`: `handler(request, &mut Services, &Caller)`, to use other services
/// - `cloud(handler)`: `handler(request, &mut Cloud, &Caller)`, to reach other accounts
///
/// The text after `of` is the service's prefix in IAM policies.
macro_rules! actions {
    (
        $(#[$document:meta])*
        $visibility:vis $table:ident of $prefix:literal {
            $($effect:ident $request:ident ($($on:tt)+) $scope:ident($handler:path);)+
        }
    ) => {
        $(#[$document])*
        $visibility const $table: &[$crate::action::Action] = &[$(
            $crate::action::Action {
                name: stringify!($request),
                effect: $crate::wire::Effect::$effect,
                answer: |cloud, caller, input| {
                    let request: $request = $crate::wire::decode(input)?;
                    let action = concat!($prefix, ":", stringify!($request));
                    $crate::action::actions!(
                        @authorize cloud, caller, request, action, $($on)+
                    );
                    $crate::action::actions!(
                        @answer $scope, cloud, caller, request, $handler
                    )
                },
            }
        ),+];
    };
    (@authorize $cloud:ident, $caller:ident, $request:ident, $action:ident, itself) => {
        let _ = $action;
    };
    (@authorize $cloud:ident, $caller:ident, $request:ident, $action:ident, $on:expr) => {
        let resource = ($on)(&$request, $caller);
        $crate::authorize($cloud, $caller, $action, &resource)?;
    };
    (@answer cloud, $cloud:ident, $caller:ident, $request:ident, $handler:path) => {
        $handler($request, $cloud, $caller)
    };
    (@answer services, $cloud:ident, $caller:ident, $request:ident, $handler:path) => {
        $handler($request, $cloud, $caller)
    };
    (@answer context, $cloud:ident, $caller:ident, $request:ident, $handler:path) => {
        $handler($request, &mut $crate::action::Context {
            caller: $caller,
            environment: &mut $cloud.services.environment,
            organization: &$cloud.services.organization,
        })
    };
    (@answer $state:ident, $cloud:ident, $caller:ident, $request:ident, $handler:path) => {
        $handler($request, &mut $cloud.services.$state, &mut $crate::action::Context {
            caller: $caller,
            environment: &mut $cloud.services.environment,
            organization: &$cloud.services.organization,
        })
    };
}

pub(crate) use actions;

/// Declares the parameters of actions, in snake case. Actions with the same parameters share a
/// structure. Any other parameter is refused: ignoring one would make a deployment appear to work.
///
/// ```text
/// requests! {
///     struct GetRole, DeleteRole { role_name: String }
/// }
/// ```
macro_rules! requests {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident $(, $alias:ident)* {
            $($(#[$on_field:meta])* $field_visibility:vis $field:ident: $type:ty),* $(,)?
        }
    )+) => {$(
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "PascalCase")]
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$on_field])* $field_visibility $field: $type),*
        }
        $($visibility type $alias = $name;)*
    )+};
}

pub(crate) use requests;
