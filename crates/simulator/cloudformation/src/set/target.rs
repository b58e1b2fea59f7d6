//! Resolves deployment targets to accounts and Regions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::Stage;
use crate::services::organizations::MANAGEMENT;
use crate::set::{Amount, Location, Preferences, StackSet};
use crate::wire::api::ApiError;
use crate::wire::decode;

/// Maximum organizational units per call.
const UNITS: usize = 50;

/// Checked deployment targets.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) units: Vec<Arc<str>>,
    accounts: BTreeSet<Arc<str>>,
    filter: Filter,
    pub(crate) regions: Vec<Arc<str>>,
    /// As in the request.
    pub(crate) raw: Value,
}

/// `AccountFilterType`: how `Accounts` modifies the targeted units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Filter {
    None,
    Intersection,
    Difference,
    Union,
}

impl Filter {
    fn name(self) -> &'static str {
        match self {
            Filter::None => "NONE",
            Filter::Intersection => "INTERSECTION",
            Filter::Difference => "DIFFERENCE",
            Filter::Union => "UNION",
        }
    }
}

/// The purpose of the targets, which decides the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create,
    Update,
    Delete,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeploymentTargets {
    #[serde(default)]
    organizational_unit_ids: Vec<String>,
    #[serde(default)]
    accounts: BTreeSet<String>,
    account_filter_type: Option<Filter>,
}

/// Reads and checks `DeploymentTargets` and `Regions`; `None` if neither was sent.
pub(crate) fn read(
    stage: &Stage<'_>,
    raw: Option<&Value>,
    regions: &[String],
    purpose: Purpose,
) -> Result<Option<Targets>, ApiError> {
    let Some(raw) = raw else {
        if regions.is_empty() && purpose == Purpose::Update {
            return Ok(None);
        }
        return Err(ApiError::validation(
            "StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target",
        ));
    };
    let given: DeploymentTargets = decode(raw)?;
    check_regions(stage, regions)?;
    check_units(stage, &given, purpose)?;
    let filter = check_accounts(&given, purpose)?;
    let shared = |text: &String| Arc::from(text.as_str());
    Ok(Some(Targets {
        units: given.organizational_unit_ids.iter().map(shared).collect(),
        accounts: given.accounts.iter().map(shared).collect(),
        filter,
        regions: regions.iter().map(shared).collect(),
        raw: raw.clone(),
    }))
}

fn check_regions(stage: &Stage<'_>, regions: &[String]) -> Result<(), ApiError> {
    if regions.is_empty() {
        return Err(ApiError::validation("Regions cannot be empty"));
    }
    for (index, region) in regions.iter().enumerate() {
        let environment = &stage.services.environment;
        if !environment.region_is_on(region, MANAGEMENT) {
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
    Ok(())
}

fn check_units(
    stage: &Stage<'_>,
    given: &DeploymentTargets,
    purpose: Purpose,
) -> Result<(), ApiError> {
    let units = &given.organizational_unit_ids;
    if units.is_empty() && (given.accounts.is_empty() || purpose == Purpose::Create) {
        return Err(ApiError::validation("OrganizationalUnitIds are required"));
    }
    if units.len() > UNITS {
        return Err(ApiError::validation(format!(
            "At most {UNITS} organizational units can be targeted at once"
        )));
    }
    let organization = &stage.services.organization;
    match units.iter().find(|unit| !organization.is_parent(unit)) {
        None => Ok(()),
        Some(unit) => Err(ApiError::validation(format!(
            "OrganizationalUnit {unit} does not exist in the organization"
        ))),
    }
}

fn check_accounts(given: &DeploymentTargets, purpose: Purpose) -> Result<Filter, ApiError> {
    let accounts = &given.accounts;
    let is_id = |id: &String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(account) = accounts.iter().find(|id| !is_id(id)) {
        return Err(ApiError::validation(format!(
            "Account {account} is not an account id"
        )));
    }
    if accounts.contains(MANAGEMENT) {
        return Err(ApiError::validation(
            "StackSets with SERVICE_MANAGED permission model do not deploy to the organization's management account",
        ));
    }
    let creating = purpose == Purpose::Create;
    match given.account_filter_type {
        None if accounts.is_empty() => Ok(Filter::None),
        None if creating => Err(ApiError::validation(
            "AccountFilterType should be specified when both OrganizationalUnitIds and Accounts are provided",
        )),
        None => Ok(Filter::Union),
        Some(Filter::None) if accounts.is_empty() => Ok(Filter::None),
        Some(Filter::None) => Err(ApiError::validation(
            "Accounts cannot be provided with AccountFilterType NONE",
        )),
        Some(Filter::Union) if creating => Err(ApiError::validation(
            "AccountFilterType UNION is not supported for CreateStackInstances",
        )),
        Some(filter) if accounts.is_empty() => Err(ApiError::validation(format!(
            "Accounts are required with AccountFilterType {}",
            filter.name()
        ))),
        Some(filter) => Ok(filter),
    }
}

impl Targets {
    /// The targeted accounts, each with the unit through which it is targeted.
    fn accounts(&self, stage: &Stage<'_>) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut found = BTreeMap::new();
        for unit in &self.units {
            for account in stage.services.organization.accounts_below(unit) {
                let wanted = match self.filter {
                    Filter::Intersection => self.accounts.contains(account.as_str()),
                    Filter::Difference => !self.accounts.contains(account.as_str()),
                    _ => true,
                };
                if wanted && account != MANAGEMENT {
                    found
                        .entry(account.into())
                        .or_insert_with(|| Arc::clone(unit));
                }
            }
        }
        if self.filter == Filter::Union {
            for account in &self.accounts {
                found.entry(Arc::clone(account)).or_insert_with(|| {
                    let account = stage.services.organization.account(account);
                    account.map_or_else(|| "".into(), |account| account.parent.as_str().into())
                });
            }
        }
        found
    }

    /// All targeted locations, existing or not.
    pub(crate) fn all(&self, stage: &Stage<'_>) -> BTreeMap<Location, Arc<str>> {
        let mut locations = BTreeMap::new();
        for (account, unit) in self.accounts(stage) {
            for region in &self.regions {
                let location = (Arc::clone(&account), Arc::clone(region));
                locations.insert(location, Arc::clone(&unit));
            }
        }
        locations
    }

    /// The targeted existing instances. An explicitly named account must have instances in all
    /// Regions.
    pub(crate) fn existing(
        &self,
        stage: &Stage<'_>,
        set: &StackSet,
    ) -> Result<BTreeMap<Location, Arc<str>>, ApiError> {
        let mut locations = self.all(stage);
        if matches!(self.filter, Filter::None | Filter::Difference) {
            // Includes accounts that left the unit but still have instances.
            for (location, instance) in &set.instances {
                let wanted = self.units.contains(&instance.unit)
                    && self.regions.contains(&location.1)
                    && !self.accounts.contains(&location.0);
                if wanted {
                    locations.insert(location.clone(), Arc::clone(&instance.unit));
                }
            }
        }
        if self.filter == Filter::Intersection {
            // An account that left the organization is in no unit, but its instances keep the unit
            // through which they were deployed.
            for (location, instance) in &set.instances {
                let departed = stage.services.organization.account(&location.0).is_none();
                let wanted = departed
                    && self.units.contains(&instance.unit)
                    && self.regions.contains(&location.1)
                    && self.accounts.contains(&location.0);
                if wanted {
                    locations.insert(location.clone(), Arc::clone(&instance.unit));
                }
            }
        }
        let missing = locations.keys().find(|location| {
            self.accounts.contains(&location.0) && !set.instances.contains_key(*location)
        });
        if let Some((account, region)) = missing {
            return Err(ApiError::new(
                "StackInstanceNotFoundException",
                format!("Stack instance for account {account} in Region {region} does not exist in StackSet {}", set.name),
            )
            .status(404));
        }
        locations.retain(|location, _| set.instances.contains_key(location));
        Ok(locations)
    }

    /// Whether the request targets entire units, and so changes what automatic deployment does.
    pub(crate) fn whole_units(&self) -> bool {
        self.filter == Filter::None
    }
}

/// `OperationPreferences` as in the request.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
struct OperationPreferences {
    region_concurrency_type: RegionConcurrencyType,
    region_order: Vec<String>,
    failure_tolerance_count: Option<usize>,
    failure_tolerance_percentage: Option<usize>,
    max_concurrent_count: Option<usize>,
    max_concurrent_percentage: Option<usize>,
    concurrency_mode: ConcurrencyMode,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RegionConcurrencyType {
    #[default]
    Sequential,
    Parallel,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ConcurrencyMode {
    #[default]
    StrictFailureTolerance,
    SoftFailureTolerance,
}

/// Reads and checks `OperationPreferences`.
pub(crate) fn preferences(stage: &Stage<'_>, raw: Option<&Value>) -> Result<Preferences, ApiError> {
    let Some(raw) = raw else {
        return Ok(Preferences {
            raw: serde_json::json!({"RegionOrder": []}),
            ..Preferences::default()
        });
    };
    let given: OperationPreferences = decode(raw)?;
    let environment = &stage.services.environment;
    let order = &given.region_order;
    if let Some(region) = order
        .iter()
        .find(|region| !environment.region_is_on(region, MANAGEMENT))
    {
        return Err(ApiError::validation(format!(
            "Region {region} in RegionOrder is not supported or not enabled"
        )));
    }
    let parallel = given.region_concurrency_type == RegionConcurrencyType::Parallel;
    if parallel && !order.is_empty() {
        return Err(ApiError::validation(
            "RegionOrder cannot be specified with RegionConcurrencyType PARALLEL",
        ));
    }
    Ok(Preferences {
        parallel,
        order: order.iter().map(|region| region.as_str().into()).collect(),
        tolerance: amount(
            ("FailureToleranceCount", given.failure_tolerance_count),
            (
                "FailureTolerancePercentage",
                given.failure_tolerance_percentage,
            ),
            0,
        )?,
        concurrency: amount(
            ("MaxConcurrentCount", given.max_concurrent_count),
            ("MaxConcurrentPercentage", given.max_concurrent_percentage),
            1,
        )?,
        soft: given.concurrency_mode == ConcurrencyMode::SoftFailureTolerance,
        raw: raw.clone(),
    })
}

/// A number of accounts, as count or percentage; both is an error.
fn amount(
    count: (&str, Option<usize>),
    percentage: (&str, Option<usize>),
    least: usize,
) -> Result<Amount, ApiError> {
    for ((name, given), most) in [(count, usize::MAX), (percentage, 100)] {
        if given.is_some_and(|number| !(least..=most).contains(&number)) {
            return Err(ApiError::validation(format!(
                "{name} must be between {least} and {most}"
            )));
        }
    }
    match (count.1, percentage.1) {
        (Some(_), Some(_)) => Err(ApiError::validation(format!(
            "Only one of {} and {} can be specified",
            count.0, percentage.0
        ))),
        (Some(count), None) => Ok(Amount::Count(count)),
        (None, Some(percentage)) => Ok(Amount::Percent(percentage)),
        (None, None) => Ok(Amount::Unset),
    }
}
