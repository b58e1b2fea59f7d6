//! From deployment targets to accounts and Regions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::cloudformation::Stage;
use crate::cloudformation::set::{Amount, Preferences, Spot, StackSet};
use crate::input::Input;
use crate::services::organizations::MANAGEMENT;
use crate::wire::api::ApiError;

/// The most units one call may name.
const UNITS: usize = 50;

/// The targets of a request.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) units: Vec<Arc<str>>,
    accounts: BTreeSet<Arc<str>>,
    /// `NONE`, `INTERSECTION`, `DIFFERENCE` or `UNION`.
    filter: String,
    pub(crate) regions: Vec<Arc<str>>,
    /// As given.
    pub(crate) raw: Value,
}

/// What a request is going to do with its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create,
    Update,
    Delete,
}

/// Reads and checks `DeploymentTargets` and `Regions`; `None` if neither was sent.
pub(crate) fn read(
    stage: &Stage<'_>,
    input: Input<'_>,
    purpose: Purpose,
) -> Result<Option<Targets>, ApiError> {
    let regions: Vec<Arc<str>> = input.texts("Regions")?;
    let known = ["OrganizationalUnitIds", "Accounts", "AccountFilterType"];
    let targets = input.structure("DeploymentTargets", &known)?;
    let Some(targets) = targets else {
        if regions.is_empty() && purpose == Purpose::Update {
            return Ok(None);
        }
        return Err(ApiError::validation(
            "StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target",
        ));
    };
    if regions.is_empty() {
        return Err(ApiError::validation("Regions cannot be empty"));
    }
    for (index, region) in regions.iter().enumerate() {
        if !stage.services.environment.region_is_on(region, MANAGEMENT) {
            return Err(ApiError::validation(format!(
                "Region {region} is not supported or not enabled"
            )));
        }
        if regions.iter().take(index).any(|other| other == region) {
            return Err(ApiError::validation(format!(
                "Region {region} is listed more than once"
            )));
        }
    }
    let units: Vec<Arc<str>> = targets.texts("OrganizationalUnitIds")?;
    let accounts: BTreeSet<Arc<str>> = targets.texts("Accounts")?.into_iter().collect();
    if units.is_empty() && (accounts.is_empty() || purpose == Purpose::Create) {
        return Err(ApiError::validation("OrganizationalUnitIds are required"));
    }
    if units.len() > UNITS {
        return Err(ApiError::validation(format!(
            "At most {UNITS} organizational units can be targeted at once"
        )));
    }
    if let Some(unit) = units
        .iter()
        .find(|unit| !stage.services.organization.is_parent(unit))
    {
        return Err(ApiError::validation(format!(
            "OrganizationalUnit {unit} does not exist in the organization"
        )));
    }
    if let Some(account) = accounts
        .iter()
        .find(|id| id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(ApiError::validation(format!(
            "Account {account} is not an account id"
        )));
    }
    if accounts.contains(MANAGEMENT) {
        return Err(ApiError::validation(
            "StackSets with SERVICE_MANAGED permission model do not deploy to the organization's management account",
        ));
    }
    let filter = match targets.text("AccountFilterType") {
        Some(filter) => filter,
        None if accounts.is_empty() => "NONE",
        None if purpose == Purpose::Create => {
            return Err(ApiError::validation(
                "AccountFilterType should be specified when both OrganizationalUnitIds and Accounts are provided",
            ));
        }
        None => "UNION",
    };
    match filter {
        "NONE" if !accounts.is_empty() => {
            return Err(ApiError::validation(
                "Accounts cannot be provided with AccountFilterType NONE",
            ));
        }
        "NONE" => {}
        "UNION" if purpose == Purpose::Create => {
            return Err(ApiError::validation(
                "AccountFilterType UNION is not supported for CreateStackInstances",
            ));
        }
        "INTERSECTION" | "DIFFERENCE" | "UNION" if accounts.is_empty() => {
            return Err(ApiError::validation(format!(
                "Accounts are required with AccountFilterType {filter}"
            )));
        }
        "INTERSECTION" | "DIFFERENCE" | "UNION" => {}
        _ => {
            return Err(ApiError::validation(format!(
                "AccountFilterType {filter} is not valid"
            )));
        }
    }
    let raw = input
        .value("DeploymentTargets")
        .cloned()
        .unwrap_or(Value::Null);
    Ok(Some(Targets {
        units,
        accounts,
        filter: filter.to_owned(),
        regions,
        raw,
    }))
}

impl Targets {
    /// The targeted accounts, each with the unit that brought it in.
    fn accounts(&self, stage: &Stage<'_>) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut found = BTreeMap::new();
        for unit in &self.units {
            for account in stage.services.organization.accounts_below(unit) {
                let wanted = match self.filter.as_str() {
                    "INTERSECTION" => self.accounts.contains(account.as_str()),
                    "DIFFERENCE" => !self.accounts.contains(account.as_str()),
                    _ => true,
                };
                if wanted && account != MANAGEMENT {
                    found
                        .entry(account.into())
                        .or_insert_with(|| Arc::clone(unit));
                }
            }
        }
        if self.filter == "UNION" {
            for account in &self.accounts {
                found.entry(Arc::clone(account)).or_insert_with(|| {
                    let account = stage.services.organization.account(account);
                    account.map_or_else(|| "".into(), |account| account.parent.as_str().into())
                });
            }
        }
        found
    }

    /// Spots to create instances at.
    pub(crate) fn all(&self, stage: &Stage<'_>) -> BTreeMap<Spot, Arc<str>> {
        let mut spots = BTreeMap::new();
        for (account, unit) in self.accounts(stage) {
            for region in &self.regions {
                let spot = (Arc::clone(&account), Arc::clone(region));
                spots.insert(spot, Arc::clone(&unit));
            }
        }
        spots
    }

    /// Existing instances that are targeted. An account that was named must have all Regions.
    pub(crate) fn existing(
        &self,
        stage: &Stage<'_>,
        set: &StackSet,
    ) -> Result<BTreeMap<Spot, Arc<str>>, ApiError> {
        let mut spots = self.all(stage);
        if self.filter != "UNION" && self.filter != "INTERSECTION" {
            // Accounts that left the unit but whose instances have not been removed yet.
            for (spot, instance) in &set.instances {
                let wanted = self.units.contains(&instance.unit)
                    && self.regions.contains(&spot.1)
                    && !self.accounts.contains(&spot.0);
                if wanted {
                    spots.insert(spot.clone(), Arc::clone(&instance.unit));
                }
            }
        }
        let missing = spots
            .keys()
            .find(|spot| self.accounts.contains(&spot.0) && !set.instances.contains_key(*spot));
        if let Some((account, region)) = missing {
            return Err(ApiError::new(
                "StackInstanceNotFoundException",
                format!("Stack instance for account {account} in Region {region} does not exist in StackSet {}", set.name),
            )
            .status(404));
        }
        spots.retain(|spot, _| set.instances.contains_key(spot));
        Ok(spots)
    }

    /// Whether the request covers whole units, so that it changes what automatic deployment does.
    pub(crate) fn whole_units(&self) -> bool {
        self.filter == "NONE"
    }
}

/// Reads `OperationPreferences`.
pub(crate) fn preferences(stage: &Stage<'_>, input: Input<'_>) -> Result<Preferences, ApiError> {
    let known = [
        "RegionConcurrencyType",
        "RegionOrder",
        "FailureToleranceCount",
        "FailureTolerancePercentage",
        "MaxConcurrentCount",
        "MaxConcurrentPercentage",
        "ConcurrencyMode",
    ];
    let Some(given) = input.structure("OperationPreferences", &known)? else {
        return Ok(Preferences {
            raw: serde_json::json!({"RegionOrder": []}),
            ..Preferences::default()
        });
    };
    let amount = |count: &str, percent: &str, least: usize| -> Result<Amount, ApiError> {
        let number = |name: &str, least: usize, most: usize| -> Result<Option<usize>, ApiError> {
            given
                .integer(name)?
                .map(|number| {
                    usize::try_from(number)
                        .ok()
                        .filter(|number| (least..=most).contains(number))
                        .ok_or_else(|| {
                            ApiError::validation(format!(
                                "{name} must be between {least} and {most}"
                            ))
                        })
                })
                .transpose()
        };
        match (
            number(count, least, usize::MAX)?,
            number(percent, least, 100)?,
        ) {
            (Some(_), Some(_)) => Err(ApiError::validation(format!(
                "Only one of {count} and {percent} can be specified"
            ))),
            (Some(count), None) => Ok(Amount::Count(count)),
            (None, Some(percent)) => Ok(Amount::Percent(percent)),
            (None, None) => Ok(Amount::Unset),
        }
    };
    let order: Vec<Arc<str>> = given.texts("RegionOrder")?;
    if let Some(region) = order
        .iter()
        .find(|region| !stage.services.environment.region_is_on(region, MANAGEMENT))
    {
        return Err(ApiError::validation(format!(
            "Region {region} in RegionOrder is not supported or not enabled"
        )));
    }
    let parallel =
        given.choice("RegionConcurrencyType", &["SEQUENTIAL", "PARALLEL"])? == "PARALLEL";
    if parallel && !order.is_empty() {
        return Err(ApiError::validation(
            "RegionOrder cannot be specified with RegionConcurrencyType PARALLEL",
        ));
    }
    let soft = given.choice(
        "ConcurrencyMode",
        &["STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"],
    )? == "SOFT_FAILURE_TOLERANCE";
    Ok(Preferences {
        parallel,
        order,
        tolerance: amount("FailureToleranceCount", "FailureTolerancePercentage", 0)?,
        concurrency: amount("MaxConcurrentCount", "MaxConcurrentPercentage", 1)?,
        soft,
        raw: input
            .value("OperationPreferences")
            .cloned()
            .unwrap_or(Value::Null),
    })
}
