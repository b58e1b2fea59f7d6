//! The organization of a run, and what other people do in it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use aws::{ArtifactBucket, Aws, Credentials, Options};
use compiler::Bundle;
use compiler::organization::{ARTIFACT_PREFIX, Organization};
use fastrand::Rng;
use serde_json::{Value, json};
use simulator::{AwsCommand, Config, Fleet, FleetStack, FleetStackSet, Simulator};
use tokio::runtime::Handle;

use crate::time::Time;

/// The simulator's fixed accounts and its root.
pub(crate) const MANAGEMENT: &str = "111122223333";
pub(crate) const LOG_ARCHIVE: &str = "222233334444";
pub(crate) const HUB: &str = "333344445555";
pub(crate) const ROOT: &str = "r-exmp";

/// A template of another owner.
const FOREIGN: &str = r#"{"Resources":{"Topic":{"Type":"AWS::SNS::Topic","Properties":{}}}}"#;

/// Role with which a delegated administrator reads other accounts.
const ACCESS_ROLE: &str = "ExampleAccess";

/// Template that creates the access role.
const ACCESS: &str = r#"{"Resources": {"Access": {"Type": "AWS::IAM::Role", "Properties": {
    "RoleName": "ExampleAccess",
    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::333344445555:root"},
        "Action": "sts:AssumeRole"}]},
    "Policies": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "*", "Resource": "*"}]}}]}}}}"#;

/// The service principal of StackSets in member accounts.
const STACK_SETS_MEMBER: &str = "member.org.stacksets.cloudformation.amazonaws.com";

/// Longer than an operation on one stack takes.
const A_WHILE: Duration = Duration::from_mins(30);

/// Regions to choose from.
const REGIONS: [&str; 6] = [
    "eu-central-1",
    "us-east-1",
    "us-west-2",
    "ap-southeast-2",
    "sa-east-1",
    "eu-north-1",
];

/// A simulated organization with its own virtual time.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) simulator: Simulator,
    pub(crate) time: Time,
    /// The first is the home Region.
    pub(crate) regions: Vec<String>,
    /// Ids of all organizational units.
    pub(crate) units: Vec<String>,
    /// Resources of other owners, as they were created.
    foreign: Foreign,
    /// The account whose credentials the deployer has: the management account or a delegated
    /// administrator.
    administrator: &'static str,
}

/// Stack sets and stacks of other owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Foreign {
    stack_sets: BTreeMap<String, FleetStackSet>,
    stacks: BTreeMap<String, FleetStack>,
}

impl Lab {
    /// An organization with this many workload accounts, without randomness.
    pub(crate) async fn plain(accounts: usize, regions: &[String], seed: u64) -> Result<Lab> {
        Lab::plain_on(&Handle::current(), accounts, regions, seed).await
    }

    /// [`plain`](Lab::plain), with the simulator on the runtime `server`.
    pub(crate) async fn plain_on(
        server: &Handle,
        accounts: usize,
        regions: &[String],
        seed: u64,
    ) -> Result<Lab> {
        let started = Simulator::start(Config {
            workload_accounts: accounts,
            regions: regions.to_vec(),
            seed,
            ..Config::default()
        });
        Ok(Lab {
            simulator: server.spawn(started).await??,
            time: Time::default(),
            regions: regions.to_vec(),
            units: ["production", "development", "security"]
                .map(|name| format!("ou-exmp-{name}"))
                .to_vec(),
            foreign: Foreign::default(),
            administrator: MANAGEMENT,
        })
    }

    /// A random organization: nested units with accounts spread over them, some of them suspended,
    /// and resources of other owners.
    pub(crate) async fn random(rng: &mut Rng, seed: u64) -> Result<Lab> {
        let accounts = match rng.u8(..100) {
            0..=79 => rng.usize(1..7),
            80..=96 => rng.usize(7..16),
            _ => rng.usize(30..80),
        };
        let mut regions = REGIONS.map(str::to_owned).to_vec();
        rng.shuffle(&mut regions);
        regions.truncate(rng.usize(1..=3));
        let mut lab = Lab::plain(accounts, &regions, seed).await?;
        for number in 0..rng.usize(..3) {
            let parent = rng.choice(&lab.units).context("no unit")?.clone();
            let input = json!({"ParentId": parent, "Name": format!("nested-{number}")});
            let answer = lab.organizations("CreateOrganizationalUnit", &input)?;
            let id = answer
                .pointer("/OrganizationalUnit/Id")
                .and_then(Value::as_str);
            lab.units.push(id.context("no unit id")?.to_owned());
        }
        for account in lab.workloads() {
            if rng.u8(..3) == 0 {
                lab.move_account(rng, &account)?;
            }
            if rng.u8(..12) == 0 {
                lab.organizations("CloseAccount", &json!({"AccountId": account}))?;
            }
        }
        if rng.u8(..8) == 0 {
            lab.delegate()?;
        }
        lab.plant(rng)?;
        Ok(lab)
    }

    /// Registers the hub account as a delegated administrator, with an access role in the
    /// management account.
    fn delegate(&mut self) -> Result<()> {
        self.administrator = HUB;
        self.organizations(
            "RegisterDelegatedAdministrator",
            &json!({"AccountId": HUB, "ServicePrincipal": STACK_SETS_MEMBER}),
        )?;
        let accounts: Vec<String> = self.simulator.fleet().accounts.into_keys().collect();
        for account in accounts {
            let input = json!({
                "StackName": "access", "TemplateBody": ACCESS,
                "Capabilities": ["CAPABILITY_NAMED_IAM"],
            });
            self.simulator
                .act(
                    &account,
                    self.home(),
                    "cloudformation",
                    "CreateStack",
                    &input,
                )
                .map_err(|error| anyhow!("CreateStack: {error}"))?;
        }
        Ok(())
    }

    /// Whether the deployer is a delegated administrator.
    pub(crate) fn is_delegated(&self) -> bool {
        self.administrator != MANAGEMENT
    }

    /// Options to connect as the administrator, according to the organization file.
    fn options(&self, organization: &Organization) -> Options {
        let mut options = Options::new(self.home());
        options.endpoint_url = Some(self.simulator.endpoint());
        options.credentials = Some(Credentials {
            access_key_id: self.administrator.to_owned(),
            secret_access_key: "simulator".to_owned(),
        });
        if self.is_delegated() {
            ACCESS_ROLE.clone_into(&mut options.access_role);
        }
        options.artifacts = organization.artifacts.as_ref().map(|it| ArtifactBucket {
            name: it.bucket.clone(),
            owner: MANAGEMENT.to_owned(),
            prefix: ARTIFACT_PREFIX.to_owned(),
        });
        options.pause = Some(self.time.pauser());
        options.sleep = Some(self.time.pauser());
        options
    }

    /// Connects like a new process.
    pub(crate) async fn connect(&self, organization: &Organization) -> Aws {
        let cloud = Aws::connect(self.options(organization)).await;
        cloud.on_behalf_of(MANAGEMENT).await
    }

    /// Region of all stack sets.
    pub(crate) fn home(&self) -> &str {
        self.regions.first().map_or("", String::as_str)
    }

    /// Ids of all member accounts except hub and log archive, whatever their state.
    pub(crate) fn workloads(&self) -> Vec<String> {
        let fleet = self.simulator.fleet();
        let parts = [MANAGEMENT, LOG_ARCHIVE, HUB];
        fleet
            .accounts
            .into_keys()
            .filter(|id| !parts.contains(&id.as_str()))
            .collect()
    }

    /// Ids of the units that directly or indirectly contain an account.
    pub(crate) fn populated_units(&self) -> Vec<String> {
        let fleet = self.simulator.fleet();
        let is_populated =
            |unit: &&String| fleet.accounts.values().any(|it| it.path.contains(unit));
        self.units.iter().filter(is_populated).cloned().collect()
    }

    /// Calls Organizations as the management account.
    pub(crate) fn organizations(&self, action: &str, input: &Value) -> Result<Value> {
        self.simulator
            .act(MANAGEMENT, "us-east-1", "organizations", action, input)
            .map_err(|error| anyhow!("{action}: {error}"))
    }

    /// Calls CloudFormation in the home Region as the management account.
    pub(crate) fn cloudformation(&self, action: &str, input: &Value) -> Result<Value, String> {
        self.simulator
            .act(MANAGEMENT, self.home(), "cloudformation", action, input)
    }

    /// Runs a command of the AWS CLI in an account, by default the deployer's, and waits for its effect.
    pub(crate) fn run_aws(&self, account: Option<&str>, command: &str) -> Result<(), String> {
        let AwsCommand {
            service,
            action,
            region,
            input,
        } = AwsCommand::read(command)?;
        if let Some(action) = action {
            let account = account.unwrap_or(self.administrator);
            let region = region.as_deref().unwrap_or(self.home());
            (self.simulator).act(account, region, &service, &action, &input)?;
        }
        self.simulator.advance(A_WHILE);
        Ok(())
    }

    /// Moves an account to another unit and returns that unit.
    pub(crate) fn move_account(&self, rng: &mut Rng, account: &str) -> Result<String> {
        let fleet = self.simulator.fleet();
        let path = &fleet.accounts.get(account).context("no such account")?.path;
        let from = path.last().cloned().unwrap_or_default();
        let others: Vec<&String> = self.units.iter().filter(|unit| **unit != from).collect();
        let to = rng.choice(others).context("no other unit")?;
        self.organizations(
            "MoveAccount",
            &json!({"AccountId": account, "SourceParentId": from, "DestinationParentId": to}),
        )?;
        Ok(to.clone())
    }

    /// Creates resources of other owners that are easily mistaken for Gizmos'.
    fn plant(&mut self, rng: &mut Rng) -> Result<()> {
        let unit = rng.choice(&self.units).context("no unit")?.clone();
        let names = [
            "gizmos-of-another-team",
            "gizmos",
            "gizmos-rules",
            "gizmos-rules-spoke-copy",
            "example-baseline",
        ];
        if rng.u8(..20) == 0 {
            // This is exactly a name that Gizmos uses, so nothing can be deployed under it.
            let name = rng.choice(["gizmos-rules-spoke", "gizmos-topic"]);
            self.foreign_stack_set(name.unwrap_or_default(), &json!([]), &unit)?;
        }
        let tags = [
            json!([]),
            json!([{"Key": "managed-by", "Value": "gizmos-of-another-team"}]),
            json!([{"Key": "gizmos:part", "Value": "rules-spoke"}]),
            json!([{"Key": "Managed-By", "Value": "gizmos"}]),
            json!([{"Key": "managed-by", "Value": "gizmos"}]),
            json!([
                {"Key": "managed-by", "Value": "gizmos"},
                {"Key": "gizmos:part", "Value": "rules-spoke"},
                {"Key": "gizmos:organization", "Value": "o-anotherorg1"},
                {"Key": "gizmos:installation", "Value": "gizmos"},
            ]),
        ];
        for _ in 0..rng.usize(1..3) {
            let name = rng.choice(names).unwrap_or("gizmos");
            let tags = rng.choice(&tags).cloned().unwrap_or_default();
            if self.simulator.fleet().stack_sets.contains_key(name) {
                continue;
            }
            self.foreign_stack_set(name, &tags, &unit)?;
        }
        for name in ["gizmos-old", "gizmos-trail-backup"] {
            if rng.bool() {
                let region = rng.choice(&self.regions).context("no Region")?;
                let input = json!({"StackName": name, "TemplateBody": FOREIGN});
                self.simulator
                    .act(MANAGEMENT, region, "cloudformation", "CreateStack", &input)
                    .map_err(|error| anyhow!("CreateStack: {error}"))?;
            }
        }
        self.simulator.advance(Duration::from_hours(2));
        let fleet = self.simulator.fleet();
        self.foreign = Foreign {
            stack_sets: fleet.stack_sets,
            stacks: fleet.stacks,
        };
        Ok(())
    }

    fn foreign_stack_set(&mut self, name: &str, tags: &Value, unit: &str) -> Result<()> {
        let failed = |error| anyhow!("a foreign stack set: {error}");
        self.cloudformation(
            "CreateStackSet",
            &json!({
                "StackSetName": name, "TemplateBody": FOREIGN, "Tags": tags,
                "PermissionModel": "SERVICE_MANAGED",
                "AutoDeployment": {"Enabled": "false"},
            }),
        )
        .map_err(failed)?;
        self.cloudformation(
            "CreateStackInstances",
            &json!({
                "StackSetName": name,
                "DeploymentTargets": {"OrganizationalUnitIds": [unit]},
                "Regions": [self.home()],
            }),
        )
        .map_err(failed)?;
        self.simulator.advance(Duration::from_hours(2));
        Ok(())
    }

    /// Whether another owner has a stack set with a name that the bundle needs.
    pub(crate) fn blocks(&self, bundle: &Bundle) -> bool {
        let sets = &bundle.stack_sets;
        sets.iter()
            .any(|set| self.foreign.stack_sets.contains_key(&set.name))
    }

    /// Whether another owner has a stack set or stack with this name.
    pub(crate) fn is_foreign(&self, name: &str) -> bool {
        self.foreign.stack_sets.contains_key(name)
            || self
                .foreign
                .stacks
                .iter()
                .any(|(id, stack)| stack.name == name || id == name)
    }

    /// Resources of other owners that have changed.
    pub(crate) fn touched(&self, fleet: &Fleet) -> Vec<String> {
        let sets = self
            .foreign
            .stack_sets
            .iter()
            .filter(|(name, before)| fleet.stack_sets.get(*name) != Some(*before))
            .map(|(name, _)| format!("stack set {name}"));
        let stacks = self
            .foreign
            .stacks
            .iter()
            .filter(|(id, before)| fleet.stacks.get(*id) != Some(*before))
            .map(|(id, _)| format!("stack {id}"));
        sets.chain(stacks).collect()
    }
}
