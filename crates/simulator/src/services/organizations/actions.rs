//! The actions of AWS Organizations.

use std::ops::Bound;

use serde_json::{Value, json};

use super::{
    Account, MANAGEMENT, ORGANIZATION_ID, Organization, ROOT_ID, Request, STACKSETS_PRINCIPAL, Unit,
};
use crate::input::Input;
use crate::services::Services;
use crate::services::environment::AccountMove;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::{bad_token, page, page_of};
use crate::wire::time::epoch;

/// `ListAccounts` and its kin give at most 20 entries.
const PAGE: usize = 20;

/// Delegated administrators of StackSets at most.
const DELEGATED: usize = 5;

/// Whether the action changes the organization.
pub(crate) fn is_mutating(action: &str) -> bool {
    !action.starts_with("List") && !action.starts_with("Describe")
}

/// Answers one action.
pub(crate) fn call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    crate::services::authorize(services, caller, &format!("organizations:{action}"), "*")
        .map_err(|error| ApiError::new("AccessDeniedException", error.message))?;
    permit(&services.organization, caller, action)?;
    let organization = &services.organization;
    match action {
        "DescribeOrganization" => {
            Input::new(input, &[])?;
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
        "ListAccounts" => {
            let input = Input::new(input, &["NextToken", "MaxResults"])?;
            let start = match input.text("NextToken") {
                None | Some("") => Bound::Unbounded,
                Some(token) if token.len() == 12 => Bound::Excluded(token),
                Some(token) => return Err(bad_token("organizations", token)),
            };
            let accounts = organization
                .accounts
                .range::<str, _>((start, Bound::Unbounded));
            let (accounts, next) = page_of(accounts, page_size(input)?, |(id, _)| (*id).clone());
            let accounts: Vec<Value> = accounts
                .into_iter()
                .map(|(_, account)| describe(organization, account))
                .collect();
            Ok(match next {
                Some(next) => json!({"Accounts": accounts, "NextToken": next}),
                None => json!({"Accounts": accounts}),
            })
        }
        "DescribeAccount" => {
            let input = Input::new(input, &["AccountId"])?;
            let account = find(organization, input.required("AccountId")?)?;
            Ok(json!({"Account": describe(organization, account)}))
        }
        "ListRoots" => {
            let input = Input::new(input, &["NextToken", "MaxResults"])?;
            let root = json!({
                "Id": ROOT_ID,
                "Arn": format!("arn:aws:organizations::{MANAGEMENT}:root/{ORGANIZATION_ID}/{ROOT_ID}"),
                "Name": "Root",
                "PolicyTypes": [],
            });
            listing(input, "Roots", vec![root])
        }
        "ListOrganizationalUnitsForParent" => {
            let input = Input::new(input, &["ParentId", "NextToken", "MaxResults"])?;
            let parent = parent(organization, input)?;
            let units = organization.units().filter(|unit| unit.parent == parent);
            listing(
                input,
                "OrganizationalUnits",
                units.map(describe_unit).collect(),
            )
        }
        "ListAccountsForParent" => {
            let input = Input::new(input, &["ParentId", "NextToken", "MaxResults"])?;
            let parent = parent(organization, input)?;
            let accounts = organization
                .accounts()
                .filter(|account| account.parent == parent);
            let accounts = accounts
                .map(|account| describe(organization, account))
                .collect();
            listing(input, "Accounts", accounts)
        }
        "ListChildren" => {
            let input = Input::new(input, &["ParentId", "ChildType", "NextToken", "MaxResults"])?;
            let parent = parent(organization, input)?;
            let kind = input.required("ChildType")?;
            let child = |id: &str| json!({"Id": id, "Type": kind});
            let children = match kind {
                "ACCOUNT" => organization
                    .accounts()
                    .filter(|account| account.parent == parent)
                    .map(|account| child(&account.id))
                    .collect(),
                "ORGANIZATIONAL_UNIT" => organization
                    .units()
                    .filter(|unit| unit.parent == parent)
                    .map(|unit| child(&unit.id))
                    .collect(),
                _ => return Err(invalid(format!("ChildType {kind} is not valid."))),
            };
            listing(input, "Children", children)
        }
        "ListParents" => {
            let input = Input::new(input, &["ChildId", "NextToken", "MaxResults"])?;
            let child = input.required("ChildId")?;
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
            listing(input, "Parents", vec![json!({"Id": parent, "Type": kind})])
        }
        "DescribeOrganizationalUnit" => {
            let input = Input::new(input, &["OrganizationalUnitId"])?;
            let unit = organization
                .units
                .get(input.required("OrganizationalUnitId")?);
            let unit = unit.ok_or_else(|| {
                ApiError::new(
                    "OrganizationalUnitNotFoundException",
                    "You specified an organizational unit that doesn't exist.",
                )
            })?;
            Ok(json!({"OrganizationalUnit": describe_unit(unit)}))
        }
        "ListDelegatedAdministrators" => {
            let input = Input::new(input, &["ServicePrincipal", "NextToken", "MaxResults"])?;
            delegated_administrators(organization, input)
        }
        "ListDelegatedServicesForAccount" => {
            let input = Input::new(input, &["AccountId", "NextToken", "MaxResults"])?;
            let account = input.required("AccountId")?;
            let services = organization.delegated.iter().filter_map(|(principal, accounts)| {
                let since = accounts.get(account)?;
                Some(json!({"ServicePrincipal": principal, "DelegationEnabledDate": epoch(*since)}))
            });
            listing(input, "DelegatedServices", services.collect())
        }
        "ListAWSServiceAccessForOrganization" => {
            let input = Input::new(input, &["NextToken", "MaxResults"])?;
            let services = organization.trusted.iter().map(|(principal, since)| {
                json!({"ServicePrincipal": principal, "DateEnabled": epoch(*since)})
            });
            listing(input, "EnabledServicePrincipals", services.collect())
        }
        "DescribeCreateAccountStatus" => {
            let input = Input::new(input, &["CreateAccountRequestId"])?;
            let request = organization
                .requests
                .get(input.required("CreateAccountRequestId")?);
            let request = request.ok_or_else(|| {
                ApiError::new(
                    "CreateAccountStatusNotFoundException",
                    "We can't find a create account request with the id that you specified.",
                )
            })?;
            Ok(json!({"CreateAccountStatus": describe_request(request)}))
        }
        _ => change(services, action, input),
    }
}

/// The actions that change the organization; only the management account gets here.
fn change(services: &mut Services, action: &str, input: &Value) -> Result<Value, ApiError> {
    let now = services.environment.now;
    match action {
        "RegisterDelegatedAdministrator" => {
            let (account, principal) = delegation(&services.organization, input)?;
            if account == MANAGEMENT {
                return Err(constraint(
                    "You can't register the management account as a delegated administrator.",
                ));
            }
            if !services.organization.trusts(&principal) {
                return Err(constraint(
                    "You must enable trusted access for the service first.",
                ));
            }
            let principal_limit = (principal == STACKSETS_PRINCIPAL).then_some(DELEGATED);
            let accounts = services
                .organization
                .delegated
                .entry(principal)
                .or_default();
            if accounts.contains_key(&account) {
                return Err(ApiError::new(
                    "AccountAlreadyRegisteredException",
                    "The provided account is already a delegated administrator for your organization.",
                ));
            }
            if principal_limit.is_some_and(|limit| accounts.len() >= limit) {
                return Err(constraint(
                    "You have reached the limit of delegated administrators of the service.",
                ));
            }
            accounts.insert(account, now);
            Ok(Value::Null)
        }
        "DeregisterDelegatedAdministrator" => {
            let (account, principal) = delegation(&services.organization, input)?;
            let accounts = services
                .organization
                .delegated
                .entry(principal)
                .or_default();
            accounts.remove(&account).map(|_| Value::Null).ok_or_else(|| {
                ApiError::new(
                    "AccountNotRegisteredException",
                    "The provided account is not a registered delegated administrator for your organization.",
                )
            })
        }
        "EnableAWSServiceAccess" => {
            let principal =
                Input::new(input, &["ServicePrincipal"])?.required("ServicePrincipal")?;
            services.organization.trust(principal, now);
            Ok(Value::Null)
        }
        "DisableAWSServiceAccess" => {
            let principal =
                Input::new(input, &["ServicePrincipal"])?.required("ServicePrincipal")?;
            services.organization.distrust(principal);
            Ok(Value::Null)
        }
        "CreateOrganizationalUnit" => {
            let input = Input::new(input, &["ParentId", "Name"])?;
            let (parent, name) = (input.required("ParentId")?, input.required("Name")?);
            let id = super::create_unit(services, name, parent, None)?;
            let unit = services.organization.units.get(&id).map(describe_unit);
            Ok(json!({"OrganizationalUnit": unit}))
        }
        "CreateAccount" => {
            let input = Input::new(input, &["Email", "AccountName"])?;
            input.required("Email")?;
            let name = input.required("AccountName")?;
            let account = super::create_account(services, name, ROOT_ID, None)?;
            let id = format!("car-{}", services.environment.token(32).to_lowercase());
            let request = Request {
                id: id.clone(),
                name: name.to_owned(),
                account,
                at: now,
            };
            let answer = json!({"CreateAccountStatus": describe_request(&request)});
            services.organization.requests.insert(id, request);
            Ok(answer)
        }
        "MoveAccount" => {
            let input = Input::new(
                input,
                &["AccountId", "SourceParentId", "DestinationParentId"],
            )?;
            let id = input.required("AccountId")?;
            let (source, destination) = (
                input.required("SourceParentId")?,
                input.required("DestinationParentId")?,
            );
            if find(&services.organization, id)?.parent != source {
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
            // Moving an account to where it is already is no error.
            super::move_account(services, id, destination).unwrap_or_default();
            Ok(Value::Null)
        }
        "RemoveAccountFromOrganization" => {
            let id = member(&services.organization, input)?;
            let parent = services
                .organization
                .accounts
                .remove(&id)
                .map(|account| account.parent);
            services.environment.moves.push(AccountMove {
                account: id,
                from: parent,
                to: None,
            });
            Ok(Value::Null)
        }
        "CloseAccount" => {
            let id = member(&services.organization, input)?;
            if let Some(account) = services.organization.accounts.get_mut(&id) {
                "SUSPENDED".clone_into(&mut account.state);
            }
            Ok(Value::Null)
        }
        _ => Err(ApiError::new(
            "UnknownOperationException",
            format!("The simulator does not know the action organizations:{action}."),
        )),
    }
}

/// Everyone may describe the organization; delegated administrators may read; the management
/// account may do all.
fn permit(organization: &Organization, caller: &Caller, action: &str) -> Result<(), ApiError> {
    let delegated = organization
        .delegated
        .values()
        .any(|accounts| accounts.contains_key(&caller.account));
    if action == "DescribeOrganization"
        || caller.account == MANAGEMENT
        || (delegated && !is_mutating(action))
    {
        return Ok(());
    }
    Err(ApiError::new(
        "AccessDeniedException",
        "You don't have permissions to access this resource.",
    ))
}

fn page_size(input: Input<'_>) -> Result<usize, ApiError> {
    match input.integer("MaxResults")? {
        None => Ok(PAGE),
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|size| (1..=PAGE).contains(size))
            .ok_or_else(|| invalid("You specified an invalid value for MaxResults.".to_owned())),
    }
}

fn listing(input: Input<'_>, name: &str, items: Vec<Value>) -> Result<Value, ApiError> {
    let (items, next) = page(items, input.text("NextToken"), page_size(input)?)
        .map_err(|error| invalid(error.message))?;
    let mut answer = json!({name: items});
    if let (Some(next), Some(fields)) = (next, answer.as_object_mut()) {
        fields.insert("NextToken".to_owned(), Value::String(next));
    }
    Ok(answer)
}

fn describe(organization: &Organization, account: &Account) -> Value {
    // The older field knows fewer values.
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

fn delegated_administrators(
    organization: &Organization,
    input: Input<'_>,
) -> Result<Value, ApiError> {
    let principal = input.text("ServicePrincipal");
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
    listing(input, "DelegatedAdministrators", items)
}

fn delegation(organization: &Organization, input: &Value) -> Result<(String, String), ApiError> {
    let input = Input::new(input, &["AccountId", "ServicePrincipal"])?;
    let account = find(organization, input.required("AccountId")?)?;
    Ok((
        account.id.clone(),
        input.required("ServicePrincipal")?.to_owned(),
    ))
}

fn member(organization: &Organization, input: &Value) -> Result<String, ApiError> {
    let input = Input::new(input, &["AccountId"])?;
    let id = input.required("AccountId")?;
    if id == MANAGEMENT {
        return Err(constraint("You can't do this to the management account."));
    }
    Ok(find(organization, id)?.id.clone())
}

fn find<'a>(organization: &'a Organization, id: &str) -> Result<&'a Account, ApiError> {
    organization.account(id).ok_or_else(|| {
        ApiError::new(
            "AccountNotFoundException",
            "You specified an account that doesn't exist.",
        )
    })
}

fn parent<'a>(organization: &Organization, input: Input<'a>) -> Result<&'a str, ApiError> {
    let id = input.required("ParentId")?;
    if organization.is_parent(id) {
        return Ok(id);
    }
    Err(ApiError::new(
        "ParentNotFoundException",
        "You specified parent that doesn't exist.",
    ))
}

fn account_arn(id: &str) -> String {
    format!("arn:aws:organizations::{MANAGEMENT}:account/{ORGANIZATION_ID}/{id}")
}

fn invalid(message: String) -> ApiError {
    ApiError::new("InvalidInputException", message)
}

fn constraint(message: &str) -> ApiError {
    ApiError::new("ConstraintViolationException", message)
}
