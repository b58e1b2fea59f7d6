//! Settles what CloudFormation reports falsely: by comparing meaning instead of notation, or by our
//! own look at the resource.

use std::collections::BTreeMap;

use compiler::StackSet;
use serde::Serialize;
use serde_json::Value;

use crate::fleet::ObservedStackSet;
use crate::fleet::document::{same_document, same_pattern, same_policy, value_of};
use crate::fleet::resolve::Context;
use crate::fleet::template::{parameter_values, resources};
use crate::ports::{
    Cloud, CloudError, Location, PropertyDifference, ResourceDrift, ResourceDriftStatus,
};

/// How a property is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The values are compared by meaning.
    Meaning,
    /// The policy that `events:DescribeEventBus` returns is compared with the template's.
    BusPolicy,
    /// The targets that `events:ListTargetsByRule` returns are compared with the template's.
    Targets,
    /// No difference is drift: CloudFormation never returns the property.
    Ignored,
}

/// A property that CloudFormation's drift detection is known to report falsely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SettledProperty {
    /// Such as `AWS::Events::Rule`.
    pub resource_type: &'static str,
    /// JSON pointer into the properties, with `*` for an index. Includes everything below it.
    pub property: &'static str,
    /// Why CloudFormation reports it.
    pub reason: &'static str,
    /// Where that is documented or was reported.
    pub source: &'static str,
    /// What decides instead.
    pub settlement: Settlement,
}

macro_rules! settled {
    ($($resource_type:literal $property:literal $settlement:ident $reason:ident $source:expr;)*) => {
        &[$(SettledProperty {
            resource_type: $resource_type,
            property: $property,
            reason: $reason,
            source: $source,
            settlement: Settlement::$settlement,
        }),*]
    };
}

const NOT_READ: &str = "the read handler does not return it";
const WRITE_ONLY: &str = "the schema marks it as write-only";
const ZERO: &str = "the read handler does not return a zero";
const NOTATION: &str = "services return policies in other words: a boolean as text, a list of one \
                        as its item";
const JSON: &str = "a pattern is a JSON document, in which white space and order mean nothing";

const NORMALIZED: &str = "https://github.com/go-to-k/cdk-real-drift/issues/699";
const PATTERNS: &str =
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html";

/// Every property that is settled by something else than CloudFormation's word. A property with
/// several entries is compared by meaning first.
pub const SETTLED_PROPERTIES: &[SettledProperty] = settled! {
    "AWS::Events::EventBus" "/Policy" Meaning NOTATION NORMALIZED;
    "AWS::Events::EventBus" "/Policy" BusPolicy NOT_READ
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2188";
    "AWS::Events::Rule" "/EventPattern" Meaning JSON PATTERNS;
    "AWS::Events::Rule" "/Targets/*/DeadLetterConfig" Targets NOT_READ
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2006";
    "AWS::Events::Rule" "/Targets/*/RetryPolicy" Targets NOT_READ
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/956";
    "AWS::IAM::Role" "/AssumeRolePolicyDocument" Meaning NOTATION NORMALIZED;
    "AWS::IAM::Role" "/Policies" Meaning NOTATION NORMALIZED;
    "AWS::KMS::Key" "/KeyPolicy" Meaning NOTATION NORMALIZED;
    "AWS::S3::Bucket" "/LifecycleConfiguration/Rules/*/ExpiredObjectDeleteMarker" Ignored WRITE_ONLY
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/965";
    "AWS::S3::Bucket" "/LifecycleConfiguration/Rules/*/Transitions/*/TransitionInDays" Ignored ZERO
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/966";
    "AWS::S3::BucketPolicy" "/PolicyDocument" Meaning NOTATION NORMALIZED;
    "AWS::SNS::TopicInlinePolicy" "/PolicyDocument" Meaning NOTATION NORMALIZED;
    "AWS::SQS::QueueInlinePolicy" "/PolicyDocument" Meaning NOTATION NORMALIZED;
};

impl SettledProperty {
    /// Whether the entry is about this property of this type.
    fn covers(&self, resource_type: &str, path: &str) -> bool {
        let mut given = path.split('/');
        self.resource_type == resource_type
            && self.property.split('/').all(|wanted| {
                given.next().is_some_and(|given| match wanted {
                    "*" => given.bytes().all(|byte| byte.is_ascii_digit()),
                    wanted => wanted == given,
                })
            })
    }
}

/// How often an entry of [`SETTLED_PROPERTIES`] settled a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// The entry.
    #[serde(flatten)]
    pub property: SettledProperty,
    /// Differences that turned out to be none.
    pub settled: usize,
    /// Differences that nobody looked at, because looking would take a call for each; `--deep`
    /// does.
    pub open: usize,
}

/// Counts by index in [`SETTLED_PROPERTIES`]: settled, open.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<usize, (usize, usize)>);

impl Tally {
    fn settle(&mut self, entry: usize) {
        self.0.entry(entry).or_default().0 += 1;
    }

    fn leave_open(&mut self, entry: usize) {
        self.0.entry(entry).or_default().1 += 1;
    }

    pub(super) fn merge(&mut self, other: Tally) {
        for (entry, (settled, open)) in other.0 {
            let counts = self.0.entry(entry).or_default();
            counts.0 += settled;
            counts.1 += open;
        }
    }

    pub(super) fn into_settled(self) -> Vec<Settled> {
        let counts = self.0.into_iter();
        counts
            .filter_map(|(entry, (settled, open))| {
                Some(Settled {
                    property: *SETTLED_PROPERTIES.get(entry)?,
                    settled,
                    open,
                })
            })
            .collect()
    }
}

/// What a deployed stack was made from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) resources: BTreeMap<String, Value>,
    /// Includes the template's defaults.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Source {
    /// The deployed stack set's, or else the bundle's.
    pub(super) fn of(set: &StackSet, deployed: Option<&ObservedStackSet>) -> Source {
        match deployed {
            Some(found) => Source::new(&found.details.template, &found.details.parameters),
            None => Source::new(&set.template, &set.parameters),
        }
    }

    pub(super) fn new(template: &str, parameters: &BTreeMap<String, String>) -> Source {
        Source {
            resources: resources(template),
            parameters: parameter_values(template, parameters),
        }
    }

    /// Names of the template's parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str)
    }

    pub(super) fn count(&self, resource_type: &str) -> usize {
        let types = self.resources.values().filter_map(|it| it.get("Type"));
        types.filter(|it| *it == resource_type).count()
    }
}

/// The result of settling one resource.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// What is left of the drift; `None` if all of it was false.
    pub(super) drift: Option<ResourceDrift>,
    /// Why a property could not be looked at.
    pub(super) unreadable: Option<CloudError>,
    pub(super) tally: Tally,
    /// The rule whose targets were read, with its targets.
    pub(super) read: Option<(RuleKey, Vec<Value>)>,
}

/// Location, bus and name of a rule.
pub(super) type RuleKey = (Location, String, String);

/// Settles what CloudFormation reports about a resource. Without `may_look`, differences that need
/// a look stay open.
pub(super) async fn settle(
    cloud: &impl Cloud,
    location: &Location,
    source: &Source,
    mut drift: ResourceDrift,
    may_look: bool,
) -> Settling {
    let mut done = Settling::default();
    if drift.status != ResourceDriftStatus::Modified || drift.differences.is_empty() {
        done.drift = Some(drift);
        return done;
    }
    let mut look = Look {
        cloud,
        location,
        source,
        logical_id: drift.logical_id.clone(),
        physical_id: drift.physical_id.clone().unwrap_or_default(),
        targets: None,
    };
    let mut left = Vec::new();
    for difference in std::mem::take(&mut drift.differences) {
        match verdict(&mut look, &drift.resource_type, &difference, may_look).await {
            Ok(Verdict::Real) => left.push(difference),
            Ok(Verdict::Settled(entry)) => done.tally.settle(entry),
            Ok(Verdict::Open(entry)) => done.tally.leave_open(entry),
            Err(error) => done.unreadable = Some(error),
        }
    }
    done.read = look.targets;
    if !left.is_empty() {
        drift.differences = left;
        done.drift = Some(drift);
    }
    done
}

enum Verdict {
    Real,
    /// By this entry of [`SETTLED_PROPERTIES`].
    Settled(usize),
    Open(usize),
}

async fn verdict<C: Cloud>(
    look: &mut Look<'_, C>,
    resource_type: &str,
    difference: &PropertyDifference,
    may_look: bool,
) -> Result<Verdict, CloudError> {
    let entries = SETTLED_PROPERTIES.iter().enumerate();
    for (entry, property) in entries.filter(|(_, it)| it.covers(resource_type, &difference.path)) {
        let settled = match property.settlement {
            Settlement::Meaning => same_meaning(property, difference),
            Settlement::Ignored => property.reason != ZERO || difference.expected == "0",
            Settlement::BusPolicy | Settlement::Targets if !may_look => {
                return Ok(Verdict::Open(entry));
            }
            Settlement::BusPolicy => look.has_bus_policy().await?,
            Settlement::Targets => look.has_target_property(difference).await?,
        };
        if settled {
            return Ok(Verdict::Settled(entry));
        }
    }
    Ok(Verdict::Real)
}

fn same_meaning(property: &SettledProperty, difference: &PropertyDifference) -> bool {
    let (expected, actual) = (value_of(&difference.expected), value_of(&difference.actual));
    if property.reason == JSON {
        same_pattern(&expected, &actual)
    } else if expected.get("Statement").is_some() {
        same_policy(&expected, &actual)
    } else {
        same_document(&expected, &actual)
    }
}

/// Our own look at a resource.
struct Look<'a, C> {
    cloud: &'a C,
    location: &'a Location,
    source: &'a Source,
    logical_id: String,
    physical_id: String,
    /// The rule and its targets, once they were read.
    targets: Option<(RuleKey, Vec<Value>)>,
}

impl<C: Cloud> Look<'_, C> {
    fn template(&self, pointer: &str) -> Option<&Value> {
        let resource = self.source.resources.get(&self.logical_id)?;
        resource.pointer(&format!("/Properties{pointer}"))
    }

    async fn has_bus_policy(&self) -> Result<bool, CloudError> {
        let Some(expected) = self.template("/Policy") else {
            return Ok(false);
        };
        let context = Context {
            location: self.location,
            parameters: &self.source.parameters,
            resources: &BTreeMap::new(),
        };
        let bus = self.cloud.bus(self.location, &self.physical_id).await?;
        let actual = bus.map_or(Value::Null, |bus| bus.policy);
        Ok(same_policy(&context.resolve(expected), &actual))
    }

    /// Whether the target has the value that CloudFormation expects.
    async fn has_target_property(
        &mut self,
        difference: &PropertyDifference,
    ) -> Result<bool, CloudError> {
        let mut path = difference.path.splitn(4, '/').skip(2);
        let (Some(index), Some(property)) = (path.next(), path.next()) else {
            return Ok(false);
        };
        let id = self.template(&format!("/Targets/{index}/Id")).cloned();
        if self.targets.is_none() {
            let named = self.physical_id.split_once('|');
            let (bus, rule) = named.unwrap_or(("default", &self.physical_id));
            let targets = self.cloud.rule_targets(self.location, bus, rule).await?;
            let key = (self.location.clone(), bus.to_owned(), rule.to_owned());
            self.targets = Some((key, targets.unwrap_or_default()));
        }
        let targets = self.targets.iter().flat_map(|(_, targets)| targets);
        let targets: Vec<&Value> = targets.collect();
        let target = match (&id, targets.as_slice()) {
            (Some(_), targets) => {
                let mut targets = targets.iter();
                targets.find(|target| target.get("Id") == id.as_ref())
            }
            // The stack of a closed account has the template of before, which may have named its
            // forwarders differently.
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let actual = target.and_then(|target| target.pointer(&format!("/{property}")));
        Ok(actual.is_some_and(|actual| *actual == value_of(&difference.expected)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(resource_type: &str, path: &str) -> Option<&'static str> {
        let mut entries = SETTLED_PROPERTIES.iter();
        entries
            .find(|it| it.covers(resource_type, path))
            .map(|it| it.property)
    }

    #[test]
    fn an_entry_covers_its_property_and_all_below() {
        let rule = "AWS::Events::Rule";
        for path in [
            "/Targets/0/RetryPolicy",
            "/Targets/12/RetryPolicy/MaximumRetryAttempts",
        ] {
            assert_eq!(entry_of(rule, path), Some("/Targets/*/RetryPolicy"));
        }
        for path in ["/Targets", "/Targets/0", "/Targets/0/Arn", "/State"] {
            assert_eq!(entry_of(rule, path), None, "{path}");
        }
        assert_eq!(entry_of("AWS::SQS::Queue", "/EventPattern"), None);
    }

    #[test]
    fn sources_are_addresses() {
        for entry in SETTLED_PROPERTIES {
            assert!(entry.source.starts_with("https://"), "{entry:?}");
            assert!(!entry.reason.ends_with('.'), "{entry:?}");
        }
    }
}
