//! AWS Account Management: which Regions an account has.

use serde_json::{Value, json};

use crate::api::{ApiError, Caller};
use crate::input::Input;
use crate::organizations::MANAGEMENT;
use crate::server::DEFAULT_REGIONS;
use crate::services::Services;

/// Regions of a page at most, and unless the request says otherwise.
const PAGE: usize = 50;

/// Answers one action.
pub(crate) fn call(
    services: &Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "ListRegions" => {
            let known = [
                "AccountId",
                "MaxResults",
                "NextToken",
                "RegionOptStatusContains",
            ];
            let input = Input::new(input, &known)?;
            let account = account(services, caller, input)?;
            let wanted: Vec<&str> = input.texts("RegionOptStatusContains")?;
            let regions = services
                .environment
                .regions
                .iter()
                .map(|region| (region, status(services, region, account)))
                .filter(|(_, status)| wanted.is_empty() || wanted.contains(status))
                .map(|(region, status)| json!({"RegionName": region, "RegionOptStatus": status}))
                .collect();
            let size = input.page_size("MaxResults", PAGE)?.min(PAGE);
            input.listing("Regions", regions, size)
        }
        "GetRegionOptStatus" => {
            let input = Input::new(input, &["AccountId", "RegionName"])?;
            let account = account(services, caller, input)?;
            let region = input.required("RegionName")?;
            if !services
                .environment
                .regions
                .iter()
                .any(|known| known == region)
            {
                return Err(ApiError::new(
                    "ValidationException",
                    format!("{region} is not a Region."),
                ));
            }
            Ok(json!({"RegionName": region, "RegionOptStatus": status(services, region, account)}))
        }
        _ => Err(ApiError::unknown_action("account", action)),
    }
}

/// The account that is asked about: the caller's own, or for the management account any.
fn account<'a>(
    services: &Services,
    caller: &'a Caller,
    input: Input<'a>,
) -> Result<&'a str, ApiError> {
    let Some(account) = input.text("AccountId") else {
        return Ok(&caller.account);
    };
    let allowed = caller.account == MANAGEMENT && account != MANAGEMENT;
    if !allowed || services.organization.account(account).is_none() {
        return Err(ApiError::denied(caller, "account:ListRegions", account).status(403));
    }
    Ok(account)
}

fn status(services: &Services, region: &str, account: &str) -> &'static str {
    let by_default = DEFAULT_REGIONS.contains(&region);
    match (
        services.environment.region_is_on(region, account),
        by_default,
    ) {
        (true, true) => "ENABLED_BY_DEFAULT",
        (true, false) => "ENABLED",
        (false, _) => "DISABLED",
    }
}
