//! The table of actions: one row each says what an action is called, whether it changes
//! something, what it acts on and who answers it.

use serde_json::Value;

use super::environment::{Cloud, Environment};
use crate::organizations::Organization;
use crate::wire::api::{ApiError, Caller};

/// An action that a service answers.
pub(crate) type Action = crate::wire::Action<Handler>;

/// Reads the parameters, checks that the caller is allowed to, and answers.
pub(crate) type Handler = fn(&mut Cloud<'_>, &Caller, &Value) -> Answer;

/// What a handler answers.
pub(crate) type Answer = Result<Value, ApiError>;

/// What a handler finds around its service's own state.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) environment: &'a mut Environment,
    pub(crate) organization: &'a Organization,
}

/// Says for authorization that an action is not about one resource.
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
/// A row is the [`Effect`](crate::wire::Effect); the request's structure, which has the action's name; in parentheses
/// what it acts on, a function from request and caller to an ARN, or `itself` for an action that
/// checks policies on its own; and the handler with what it needs:
///
/// - `sns(handler)`: `handler(request, &mut Sns, &mut Context)`, the service's own state, which is
///   the field of that name in [`super::Services`]: the usual case
/// - `context(handler)`: `handler(request, &mut Context)`, for a service without state
/// - `services(handler)`: `handler(request, &mut Services, &Caller)`, for what crosses services
/// - `cloud(handler)`: `handler(request, &mut Cloud, &Caller)`, for what reaches other accounts
///
/// The text behind `of` is the service's prefix in IAM policies.
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

/// Declares the parameters of actions by their names in snake case. Actions with the same parameters
/// share a structure. Every other parameter is refused: ignoring one would let a deployment seem to
/// work.
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
