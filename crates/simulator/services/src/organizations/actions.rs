//! The API actions of AWS Organizations.

#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "the signature of all handlers"
)]

use std::ops::Bound;

use serde_json::{Value, json};

use super::{
    Account, MANAGEMENT, ORGANIZATION_ID, Organization, ROOT_ID, Request, STACKSETS_PRINCIPAL, Unit,
};
use crate::Services;
use crate::action::{Action, Answer, Context, actions, anything, requests};
use crate::environment::AccountMove;
use crate::wire::Effect;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::{bad_token, page, page_of};
use crate::wire::time::epoch;

/// Maximum page size.
const PAGE: usize = 20;

/// Maximum delegated administrators of StackSets.
const DELEGATED: usize = 5;

actions! {
    /// All actions of Organizations. Read-only handlers get the organization through the context.
    pub(crate) ACTIONS of "organizations" {
        Reads DescribeOrganization (anything) context(describe_organization);
        Reads ListAccounts (anything) context(list_accounts);
        Reads DescribeAccount (anything) context(describe_account);
        Reads ListRoots (anything) context(list_roots);
        Reads ListOrganizationalUnitsForParent (anything) context(list_units_for_parent);
        Reads ListAccountsForParent (anything) context(list_accounts_for_parent);
        Reads ListChildren (anything) context(list_children);
        Reads ListParents (anything) context(list_parents);
        Reads DescribeOrganizationalUnit (anything) context(describe_organizational_unit);
        Reads ListDelegatedAdministrators (anything) context(list_delegated_administrators);
        Reads ListDelegatedServicesForAccount (anything)
            context(list_delegated_services_for_account);
        Reads ListAWSServiceAccessForOrganization (anything) context(list_service_access);
        Reads DescribeCreateAccountStatus (anything) context(describe_create_account_status);
        Changes RegisterDelegatedAdministrator (anything) services(register_administrator);
        Changes DeregisterDelegatedAdministrator (anything) services(deregister_administrator);
        Changes EnableAWSServiceAccess (anything) services(enable_service_access);
        Changes DisableAWSServiceAccess (anything) services(disable_service_access);
        Changes CreateOrganizationalUnit (anything) services(create_organizational_unit);
        Changes CreateAccount (anything) services(create_account);
        Changes MoveAccount (anything) services(move_account);
        Changes RemoveAccountFromOrganization (anything) services(remove_account);
        Changes CloseAccount (anything) services(close_account);
    }
}

requests! {
    struct DescribeOrganization {}
    struct ListAccounts, ListRoots, ListAWSServiceAccessForOrganization {
        next_token: Option<String>, max_results: Option<i64>,
    }
    struct DescribeAccount, RemoveAccountFromOrganization, CloseAccount { account_id: String }
    struct ListAccountsForParent, ListOrganizationalUnitsForParent {
        parent_id: String, next_token: Option<String>, max_results: Option<i64>,
    }
    struct ListChildren {
        parent_id: String, child_type: String, next_token: Option<String>, max_results: Option<i64>,
    }
    struct ListParents { child_id: String, next_token: Option<String>, max_results: Option<i64> }
    struct DescribeOrganizationalUnit { organizational_unit_id: String }
    struct ListDelegatedAdministrators {
        service_principal: Option<String>, next_token: Option<String>, max_results: Option<i64>,
    }
    struct ListDelegatedServicesForAccount {
        account_id: String, next_token: Option<String>, max_results: Option<i64>,
    }
    struct DescribeCreateAccountStatus { create_account_request_id: String }
    struct RegisterDelegatedAdministrator, DeregisterDelegatedAdministrator {
        account_id: String, service_principal: String,
    }
    struct EnableAWSServiceAccess, DisableAWSServiceAccess { service_principal: String }
    struct CreateOrganizationalUnit { parent_id: String, name: String }
    #[expect(dead_code, reason = "required by AWS, but addresses are derived from names")]
    struct CreateAccount { account_name: String, email: String }
    #[expect(clippy::struct_field_names, reason = "AWS's names")]
    struct MoveAccount {
        account_id: String, source_parent_id: String, destination_parent_id: String,
    }
}

/// Any account may describe the organization, delegated administrators may read, and the management
/// account may do everything.
pub(crate) fn permit(
    organization: &Organization,
    caller: &Caller,
    action: &Action,
) -> Result<(), ApiError> {
    let mut delegated = organization.delegated.values();
    if action.name == "DescribeOrganization"
        || caller.account == MANAGEMENT
        || (action.effect == Effect::Reads
            && delegated.any(|accounts| accounts.contains_key(&caller.account)))
    {
        return Ok(());
    }
    Err(ApiError::new(
        "AccessDeniedException",
        "You don't have permissions to access this resource.",
    ))
}

fn describe_organization(_: DescribeOrganization, _: &mut Context<'_>) -> Answer {
    Ok(json!({"Organization": {
        "Id": ORGANIZATION_ID,
        "Arn": format!("arn:aws:organizations::{MANAGEMENT}:organization/{ORGANIZATION_ID}"),
        "FeatureSet": "ALL",
        "MasterAccountArn": account_arn(MANAGEMENT),
        "MasterAccountId": MANAGEMENT,
        "MasterAccountEmail": "management@example.com",
        "AvailablePolicyTypes": [],
    }}))
}

fn page_size(asked: Option<i64>) -> Result<usize, ApiError> {
    asked
        .map_or(Ok(PAGE), usize::try_from)
        .ok()
        .filter(|size| (1..=PAGE).contains(size))
        .ok_or_else(|| invalid("You specified an invalid value for MaxResults."))
}

fn listing(name: &str, items: Vec<Value>, token: Option<&str>, size: Option<i64>) -> Answer {
    let (items, next) =
        page(items, token, page_size(size)?).map_err(|error| invalid(error.message))?;
    Ok(listed(name, items, next))
}

fn listed(name: &str, items: Vec<Value>, next: Option<String>) -> Value {
    match next {
        Some(next) => json!({name: items, "NextToken": next}),
        None => json!({name: items}),
    }
}

fn list_accounts(request: ListAccounts, context: &mut Context<'_>) -> Answer {
    let organization = context.organization;
    let start = match request.next_token.as_deref() {
        None | Some("") => Bound::Unbounded,
        Some(token) if token.len() == 12 => Bound::Excluded(token),
        Some(token) => return Err(bad_token("organizations", token)),
    };
    let accounts = &organization.accounts;
    let accounts = accounts.range::<str, _>((start, Bound::Unbounded));
    let (accounts, next) = page_of(accounts, page_size(request.max_results)?, |(id, _)| {
        (*id).clone()
    });
    let accounts = accounts.into_iter();
    let accounts = accounts.map(|(_, account)| describe(organization, account));
    Ok(listed("Accounts", accounts.collect(), next))
}

fn describe_account(request: DescribeAccount, context: &mut Context<'_>) -> Answer {
    let account = find(context.organization, &request.account_id)?;
    Ok(json!({"Account": describe(context.organization, account)}))
}

fn list_roots(request: ListRoots, _: &mut Context<'_>) -> Answer {
    let root = json!({
        "Id": ROOT_ID,
        "Arn": format!("arn:aws:organizations::{MANAGEMENT}:root/{ORGANIZATION_ID}/{ROOT_ID}"),
        "Name": "Root",
        "PolicyTypes": [],
    });
    listing(
        "Roots",
        vec![root],
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn list_units_for_parent(
    request: ListOrganizationalUnitsForParent,
    context: &mut Context<'_>,
) -> Answer {
    let units = units_in(context.organization, &request.parent_id)?;
    let units = units.map(describe_unit).collect();
    listing(
        "OrganizationalUnits",
        units,
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn list_accounts_for_parent(request: ListAccountsForParent, context: &mut Context<'_>) -> Answer {
    let organization = context.organization;
    let accounts = accounts_in(organization, &request.parent_id)?;
    let accounts = accounts.map(|account| describe(organization, account));
    let accounts = accounts.collect();
    listing(
        "Accounts",
        accounts,
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn list_children(request: ListChildren, context: &mut Context<'_>) -> Answer {
    let (organization, parent) = (context.organization, &request.parent_id);
    let kind = request.child_type.as_str();
    let ids: Vec<&String> = match kind {
        "ACCOUNT" => accounts_in(organization, parent)?
            .map(|account| &account.id)
            .collect(),
        "ORGANIZATIONAL_UNIT" => units_in(organization, parent)?
            .map(|unit| &unit.id)
            .collect(),
        _ => return Err(invalid(format!("ChildType {kind} is not valid."))),
    };
    let children = ids
        .into_iter()
        .map(|id| json!({"Id": id, "Type": kind}))
        .collect();
    listing(
        "Children",
        children,
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn list_parents(request: ListParents, context: &mut Context<'_>) -> Answer {
    let (organization, child) = (context.organization, &request.child_id);
    let parent = organization
        .account(child)
        .map(|account| &account.parent)
        .or_else(|| organization.units.get(child).map(|unit| &unit.parent))
        .ok_or_else(|| {
            ApiError::new(
                "ChildNotFoundException",
                "You specified an organizational unit or account that doesn't exist.",
            )
        })?;
    let kind = if parent == ROOT_ID {
        "ROOT"
    } else {
        "ORGANIZATIONAL_UNIT"
    };
    let parents = vec![json!({"Id": parent, "Type": kind})];
    listing(
        "Parents",
        parents,
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn describe_organizational_unit(
    request: DescribeOrganizationalUnit,
    context: &mut Context<'_>,
) -> Answer {
    let units = &context.organization.units;
    let unit = units.get(&request.organizational_unit_id).ok_or_else(|| {
        ApiError::new(
            "OrganizationalUnitNotFoundException",
            "You specified an organizational unit that doesn't exist.",
        )
    })?;
    Ok(json!({"OrganizationalUnit": describe_unit(unit)}))
}

fn list_delegated_administrators(
    request: ListDelegatedAdministrators,
    context: &mut Context<'_>,
) -> Answer {
    let organization = context.organization;
    let principal = request.service_principal.as_deref();
    let mut items = Vec::new();
    for account in organization.accounts() {
        let since = organization
            .delegated
            .iter()
            .filter(|(name, _)| principal.is_none_or(|principal| principal == name.as_str()))
            .find_map(|(_, accounts)| accounts.get(&account.id));
        if let Some(since) = since {
            let mut item = describe(organization, account);
            if let Some(fields) = item.as_object_mut() {
                fields.shift_remove("Paths");
                fields.insert("DelegationEnabledDate".to_owned(), epoch(*since));
            }
            items.push(item);
        }
    }
    listing(
        "DelegatedAdministrators",
        items,
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn list_delegated_services_for_account(
    request: ListDelegatedServicesForAccount,
    context: &mut Context<'_>,
) -> Answer {
    let delegated = context.organization.delegated.iter();
    let services = delegated.filter_map(|(principal, accounts)| {
        let since = accounts.get(&request.account_id)?;
        Some(json!({"ServicePrincipal": principal, "DelegationEnabledDate": epoch(*since)}))
    });
    let services = services.collect();
    listing(
        "DelegatedServices",
        services,
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn list_service_access(
    request: ListAWSServiceAccessForOrganization,
    context: &mut Context<'_>,
) -> Answer {
    let trusted = context.organization.trusted.iter();
    let services = trusted.map(
        |(principal, since)| json!({"ServicePrincipal": principal, "DateEnabled": epoch(*since)}),
    );
    let services = services.collect();
    listing(
        "EnabledServicePrincipals",
        services,
        request.next_token.as_deref(),
        request.max_results,
    )
}

fn describe_create_account_status(
    request: DescribeCreateAccountStatus,
    context: &mut Context<'_>,
) -> Answer {
    let requests = &context.organization.requests;
    let found = requests.get(&request.create_account_request_id);
    let found = found.ok_or_else(|| {
        ApiError::new(
            "CreateAccountStatusNotFoundException",
            "We can't find a create account request with the id that you specified.",
        )
    })?;
    Ok(json!({"CreateAccountStatus": describe_request(found)}))
}

fn register_administrator(
    request: RegisterDelegatedAdministrator,
    services: &mut Services,
    _: &Caller,
) -> Answer {
    let organization = &mut services.organization;
    let (account, principal) = (request.account_id, request.service_principal);
    find(organization, &account)?;
    if account == MANAGEMENT {
        return Err(constraint(
            "You can't register the management account as a delegated administrator.",
        ));
    }
    if !organization.trusts(&principal) {
        return Err(constraint(
            "You must enable trusted access for the service first.",
        ));
    }
    let limited = principal == STACKSETS_PRINCIPAL;
    let accounts = organization.delegated.entry(principal).or_default();
    if accounts.contains_key(&account) {
        return Err(ApiError::new(
            "AccountAlreadyRegisteredException",
            "The provided account is already a delegated administrator for your organization.",
        ));
    }
    if limited && accounts.len() >= DELEGATED {
        return Err(constraint(
            "You have reached the limit of delegated administrators of the service.",
        ));
    }
    accounts.insert(account, services.environment.now);
    Ok(Value::Null)
}

fn deregister_administrator(
    request: DeregisterDelegatedAdministrator,
    services: &mut Services,
    _: &Caller,
) -> Answer {
    let organization = &mut services.organization;
    find(organization, &request.account_id)?;
    let accounts = organization.delegated.get_mut(&request.service_principal);
    let removed = accounts.and_then(|accounts| accounts.remove(&request.account_id));
    removed.map(|_| Value::Null).ok_or_else(|| {
        ApiError::new(
            "AccountNotRegisteredException",
            "The provided account is not a registered delegated administrator for your organization.",
        )
    })
}

fn enable_service_access(
    request: EnableAWSServiceAccess,
    services: &mut Services,
    _: &Caller,
) -> Answer {
    let now = services.environment.now;
    services.organization.trust(&request.service_principal, now);
    Ok(Value::Null)
}

fn disable_service_access(
    request: DisableAWSServiceAccess,
    services: &mut Services,
    _: &Caller,
) -> Answer {
    services.organization.distrust(&request.service_principal);
    Ok(Value::Null)
}

fn create_organizational_unit(
    request: CreateOrganizationalUnit,
    services: &mut Services,
    _: &Caller,
) -> Answer {
    let id = super::create_unit(services, &request.name, &request.parent_id, None)?;
    let unit = services.organization.units.get(&id).map(describe_unit);
    Ok(json!({"OrganizationalUnit": unit}))
}

fn create_account(request: CreateAccount, services: &mut Services, _: &Caller) -> Answer {
    let name = request.account_name;
    let account = super::create_account(services, &name, ROOT_ID, None)?;
    let id = format!("car-{}", services.environment.token(32).to_lowercase());
    let request = Request {
        id: id.clone(),
        name,
        account,
        at: services.environment.now,
    };
    let answer = json!({"CreateAccountStatus": describe_request(&request)});
    services.organization.requests.insert(id, request);
    Ok(answer)
}

fn move_account(request: MoveAccount, services: &mut Services, _: &Caller) -> Answer {
    let (id, destination) = (&request.account_id, &request.destination_parent_id);
    if find(&services.organization, id)?.parent != request.source_parent_id {
        return Err(ApiError::new(
            "SourceParentNotFoundException",
            "We can't find a source root or OU with the ParentId that you specified.",
        ));
    }
    if !services.organization.is_parent(destination) {
        return Err(ApiError::new(
            "DestinationParentNotFoundException",
            "We can't find the destination container (a root or OU) with the ParentId that you specified.",
        ));
    }
    // The only remaining error is that the account is already in the destination, which AWS
    // accepts.
    super::move_account(services, id, destination).unwrap_or_default();
    Ok(Value::Null)
}

fn remove_account(
    request: RemoveAccountFromOrganization,
    services: &mut Services,
    _: &Caller,
) -> Answer {
    let parent = member(&mut services.organization, &request.account_id)?
        .parent
        .clone();
    services.organization.accounts.remove(&request.account_id);
    services.environment.moves.push(AccountMove {
        account: request.account_id,
        from: Some(parent),
        to: None,
    });
    Ok(Value::Null)
}

fn close_account(request: CloseAccount, services: &mut Services, _: &Caller) -> Answer {
    let account = member(&mut services.organization, &request.account_id)?;
    "SUSPENDED".clone_into(&mut account.state);
    Ok(Value::Null)
}

fn describe(organization: &Organization, account: &Account) -> Value {
    // `Status`, the older field, has fewer values than `State`.
    let status = match account.state.as_str() {
        "PENDING_CLOSURE" => "PENDING_CLOSURE",
        "ACTIVE" => "ACTIVE",
        _ => "SUSPENDED",
    };
    let mut path = vec![ORGANIZATION_ID.to_owned()];
    path.extend(organization.lineage(&account.parent));
    path.push(account.id.clone());
    json!({
        "Id": account.id,
        "Arn": account_arn(&account.id),
        "Email": format!("{}@example.com", account.name.replace(' ', "-")),
        "Name": account.name,
        "Status": status,
        "State": account.state,
        "Paths": [format!("{}/", path.join("/"))],
        "JoinedMethod": if account.id == MANAGEMENT { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": epoch(account.joined),
    })
}

fn describe_unit(unit: &Unit) -> Value {
    json!({
        "Id": unit.id,
        "Arn": format!("arn:aws:organizations::{MANAGEMENT}:ou/{ORGANIZATION_ID}/{}", unit.id),
        "Name": unit.name,
    })
}

fn describe_request(request: &Request) -> Value {
    json!({
        "Id": request.id,
        "AccountName": request.name,
        "State": "SUCCEEDED",
        "RequestedTimestamp": epoch(request.at),
        "CompletedTimestamp": epoch(request.at),
        "AccountId": request.account,
    })
}

/// Finds a member account; the management account is refused.
fn member<'a>(organization: &'a mut Organization, id: &str) -> Result<&'a mut Account, ApiError> {
    if id == MANAGEMENT {
        return Err(constraint("You can't do this to the management account."));
    }
    let account = organization.accounts.get_mut(id);
    account.ok_or_else(no_account)
}

fn find<'a>(organization: &'a Organization, id: &str) -> Result<&'a Account, ApiError> {
    organization.account(id).ok_or_else(no_account)
}

fn no_account() -> ApiError {
    ApiError::new(
        "AccountNotFoundException",
        "You specified an account that doesn't exist.",
    )
}

fn check_parent(organization: &Organization, id: &str) -> Result<(), ApiError> {
    if organization.is_parent(id) {
        Ok(())
    } else {
        Err(super::no_parent())
    }
}

fn accounts_in<'a>(
    organization: &'a Organization,
    parent: &'a str,
) -> Result<impl Iterator<Item = &'a Account>, ApiError> {
    check_parent(organization, parent)?;
    let accounts = organization.accounts();
    Ok(accounts.filter(move |account| account.parent == parent))
}

fn units_in<'a>(
    organization: &'a Organization,
    parent: &'a str,
) -> Result<impl Iterator<Item = &'a Unit>, ApiError> {
    check_parent(organization, parent)?;
    Ok(organization
        .units()
        .filter(move |unit| unit.parent == parent))
}

fn account_arn(id: &str) -> String {
    format!("arn:aws:organizations::{MANAGEMENT}:account/{ORGANIZATION_ID}/{id}")
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidInputException", message)
}

fn constraint(message: &str) -> ApiError {
    ApiError::new("ConstraintViolationException", message)
}
