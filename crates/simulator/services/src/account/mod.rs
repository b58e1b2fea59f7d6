//! AWS Account Management: the Regions of an account.

use serde_json::json;

use super::action::{Answer, Context, actions, anything, requests};
use super::environment::DEFAULT_REGIONS;
use crate::Services;
use crate::organizations::MANAGEMENT;
use crate::wire::api::{ApiError, Caller};
use crate::wire::listing;

/// Maximum and default page size.
const PAGE: usize = 50;

actions! {
    /// All actions of Account Management.
    pub(crate) ACTIONS of "account" {
        Reads ListRegions (anything) context(list_regions);
        Reads GetRegionOptStatus (anything) context(get_region_opt_status);
        Changes EnableRegion (anything) services(enable_region);
    }
}

requests! {
    struct ListRegions {
        account_id: Option<String>,
        max_results: Option<u32>,
        next_token: Option<String>,
        #[serde(default)]
        region_opt_status_contains: Vec<String>,
    }
    struct GetRegionOptStatus { account_id: Option<String>, region_name: String }
    struct EnableRegion { region_name: String }
}

/// Enables a Region in the caller's account, at once; on AWS that takes minutes to hours. A Region
/// that is disabled everywhere is then disabled in the other accounts.
fn enable_region(request: EnableRegion, services: &mut Services, caller: &Caller) -> Answer {
    let region = request.region_name;
    let others: Vec<String> = services
        .organization
        .accounts()
        .map(|account| account.id.clone())
        .filter(|id| *id != caller.account)
        .collect();
    let environment = &mut services.environment;
    if !environment.regions.contains(&region) {
        return Err(ApiError::new(
            "ValidationException",
            format!("{region} is not a Region."),
        ));
    }
    if environment.off.remove(&region) {
        let off = others.into_iter().map(|id| (id, region.clone()));
        environment.off_in.extend(off);
    }
    environment.off_in.remove(&(caller.account.clone(), region));
    Ok(json!({}))
}

fn list_regions(request: ListRegions, context: &mut Context<'_>) -> Answer {
    let account = account(context, request.account_id.as_deref())?;
    let wanted = request.region_opt_status_contains;
    let regions = context
        .environment
        .regions
        .iter()
        .map(|region| (region, status(context, region, account)))
        .filter(|(_, status)| wanted.is_empty() || wanted.iter().any(|it| it == status))
        .map(|(region, status)| json!({"RegionName": region, "RegionOptStatus": status}))
        .collect();
    let size = request
        .max_results
        .map_or(PAGE, |size| PAGE.min(size as usize));
    listing("Regions", regions, request.next_token.as_deref(), size)
}

fn get_region_opt_status(request: GetRegionOptStatus, context: &mut Context<'_>) -> Answer {
    let account = account(context, request.account_id.as_deref())?;
    let region = request.region_name;
    if !context.environment.regions.contains(&region) {
        return Err(ApiError::new(
            "ValidationException",
            format!("{region} is not a Region."),
        ));
    }
    let status = status(context, &region, account);
    Ok(json!({"RegionName": region, "RegionOptStatus": status}))
}

/// The service principal for Account Management's trusted access.
const PRINCIPAL: &str = "account.amazonaws.com";

/// The account in question: the caller's own, or, with trusted access, any but itself for the
/// management account and delegated administrators.
/// <https://docs.aws.amazon.com/accounts/latest/reference/using-orgs-trusted-access.html>
fn account<'a>(context: &'a Context<'_>, asked: Option<&'a str>) -> Result<&'a str, ApiError> {
    let caller = context.caller;
    let Some(account) = asked else {
        return Ok(&caller.account);
    };
    let organization = &context.organization;
    let administers =
        caller.account == MANAGEMENT || organization.is_delegated(&caller.account, PRINCIPAL);
    let allowed = administers && account != MANAGEMENT && organization.trusts(PRINCIPAL);
    if !allowed || context.organization.account(account).is_none() {
        return Err(ApiError::denied(caller, "account:ListRegions", account).status(403));
    }
    Ok(account)
}

fn status(context: &Context<'_>, region: &str, account: &str) -> &'static str {
    let by_default = DEFAULT_REGIONS.contains(&region);
    match (
        context.environment.region_is_on(region, account),
        by_default,
    ) {
        (true, true) => "ENABLED_BY_DEFAULT",
        (true, false) => "ENABLED",
        (false, _) => "DISABLED",
    }
}
