//! The table of AWS's service authorization reference.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::Pattern;

/// Made by `cargo xtask service-authorization`.
const TABLE: &str = include_str!("../../data/service-authorization.txt");

/// Condition keys that requests of every service have, or that AWS adds to requests of its own
/// services. Keys of tags aren't among them: they are listed with the actions that support them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
const GLOBAL_KEYS: [&str; 17] = [
    "aws:CalledVia",
    "aws:CurrentTime",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:ViaAWSService",
];

/// AWS's service authorization reference of the services that policies name.
#[derive(Debug)]
pub struct Reference {
    pub(super) actions: Vec<Action>,
    /// ARN format and condition keys by `service:type`.
    pub(super) resources: BTreeMap<&'static str, (&'static str, Vec<&'static str>)>,
}

/// An action with what can restrict it.
#[derive(Debug)]
pub(super) struct Action {
    /// `service:Name`.
    pub(super) name: &'static str,
    /// `service:type`, and whether the action requires it.
    pub(super) types: Vec<(String, bool)>,
    keys: Vec<&'static str>,
}

impl Reference {
    /// Reads the committed table.
    pub fn load() -> Reference {
        let mut reference = Reference {
            actions: Vec::new(),
            resources: BTreeMap::new(),
        };
        for line in TABLE.lines().skip(1) {
            let (before, keys) = line.split_once(" | ").unwrap_or((line, ""));
            let mut words = before.split(' ');
            let (kind, name) = (words.next(), words.next().unwrap_or_default());
            if kind == Some("resource") {
                let arn = words.next().unwrap_or_default();
                reference.resources.insert(name, (arn, words.collect()));
                continue;
            }
            assert_eq!(kind, Some("action"), "{line}");
            let (service, _) = name.split_once(':').expect("a service");
            reference.actions.push(Action {
                name,
                types: words
                    .map(|word| {
                        let kind = word.trim_end_matches('*');
                        (format!("{service}:{kind}"), kind != word)
                    })
                    .collect(),
                keys: keys.split(' ').filter(|key| !key.is_empty()).collect(),
            });
        }
        let known: BTreeSet<&str> = reference.resources.keys().copied().collect();
        for action in &reference.actions {
            for (kind, _) in &action.types {
                assert!(known.contains(kind.as_str()), "{} of {}", kind, action.name);
            }
        }
        reference
    }

    /// The actions that a policy's `service:Name*` stands for.
    pub(super) fn actions(&self, written: &str) -> Vec<&Action> {
        // Most actions are another service's, and comparing patterns is slow.
        let service = written.split_once(':').map(|(service, _)| service);
        let service = service.filter(|it| !it.contains(['*', '?']));
        let is_of =
            |action: &&Action| service.is_none_or(|it| action.name.split(':').next() == Some(it));
        let written = Pattern::written(written);
        self.actions
            .iter()
            .filter(is_of)
            .filter(|action| Pattern::written(action.name).overlaps(&written))
            .collect()
    }

    /// Whether requests for the action have a condition key.
    pub(super) fn has_key(&self, action: &Action, key: &str) -> bool {
        let written = Pattern::written(&key.to_lowercase());
        let of_types = action
            .types
            .iter()
            .filter_map(|(kind, _)| self.resources.get(kind.as_str()))
            .flat_map(|(_, keys)| keys);
        GLOBAL_KEYS
            .iter()
            .chain(&action.keys)
            .chain(of_types)
            .any(|known| Pattern::key(known).overlaps(&written))
    }
}
