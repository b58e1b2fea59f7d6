//! CloudFormation as its callers see it, without the wire protocol.

mod faults;
mod fold;
mod permissions;
mod schedule;
mod sets;
mod stacks;

use serde_json::Value;

use crate::Config;
use crate::services::organizations::MANAGEMENT;
use crate::wire::api::{ApiError, Caller};
use crate::world::World;

/// A world, and a client that calls it.
struct Lab {
    world: World,
}

impl Lab {
    fn new() -> Lab {
        Lab {
            world: World::new(Config::default()),
        }
    }

    fn call(&mut self, account: &str, action: &str, input: &Value) -> Result<Value, ApiError> {
        let caller = Caller {
            account: account.to_owned(),
            region: "eu-central-1".to_owned(),
            arn: format!("arn:aws:iam::{account}:root"),
            role: None,
            session_policy: None,
        };
        if crate::services::is_mutating("organizations", action) && action.ends_with("Account") {
            return self.world.with_services(|cloud| {
                crate::services::call(cloud, &caller, "organizations", action, input)
            });
        }
        let answer = crate::cloudformation::call(&mut self.world.stage(), &caller, action, input);
        self.world.settle();
        answer
    }

    /// Calls as the management account and expects success.
    fn ok(&mut self, action: &str, input: &Value) -> Value {
        self.call(MANAGEMENT, action, input)
            .unwrap_or_else(|error| panic!("{action}: {error:?}"))
    }

    /// Calls as the management account and expects an error. Returns `CODE: message`.
    fn refused(&mut self, action: &str, input: &Value) -> String {
        match self.call(MANAGEMENT, action, input) {
            Err(error) => format!("{}: {}", error.code, error.message),
            Ok(answer) => panic!("{action} worked: {answer}"),
        }
    }

    fn wait(&mut self, seconds: f64) {
        self.world.advance(seconds);
    }
}
