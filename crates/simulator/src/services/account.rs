//! Account Management: which Regions an account has switched on.
//!
//! AWS: <https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html>

use serde_json::{Value, json};

use crate::api::{ApiError, Caller};
use crate::input::Input;
use crate::organizations::MANAGEMENT;
use crate::world::World;

/// The action that a path of the service stands for: `/listRegions`.
pub(crate) fn action(path: &str) -> String {
    let name = path.trim_matches('/');
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

pub(crate) fn call(
    world: &World,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    if action != "ListRegions" {
        return Err(ApiError::unknown_action("account", action));
    }
    let known = [
        "AccountId",
        "MaxResults",
        "NextToken",
        "RegionOptStatusContains",
    ];
    let input = Input::new(input, &known)?;
    let account = input.text("AccountId").unwrap_or(&caller.account);
    if account != caller.account && caller.account != MANAGEMENT {
        let resource = format!("arn:aws:account::{MANAGEMENT}:account/*/{account}");
        return Err(ApiError::denied(caller, "account:ListRegions", &resource));
    }
    let wanted: Vec<&str> = input.texts("RegionOptStatusContains")?;
    let regions = world
        .config
        .regions
        .iter()
        .map(|region| {
            let status = if world.region_is_on(region, account) {
                "ENABLED_BY_DEFAULT"
            } else {
                "DISABLED"
            };
            (region, status)
        })
        .filter(|(_, status)| wanted.is_empty() || wanted.contains(status))
        .map(|(region, status)| json!({"RegionName": region, "RegionOptStatus": status}))
        .collect();
    input.listing("Regions", regions, 50)
}

#[cfg(test)]
mod tests {
    use super::action;

    #[test]
    fn an_action_is_known_by_its_path() {
        assert_eq!(action("/listRegions"), "ListRegions");
        assert_eq!(action("/"), "");
    }
}
