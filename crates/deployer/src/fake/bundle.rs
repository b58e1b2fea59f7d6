//! A small bundle for tests.

use std::collections::BTreeMap;

use compiler::organization::{
    Accounts, Forward, Organization, OwnTrail, Protocol, Publish, RegionSource, Subscription,
    TargetScope, Topic, Topology, Trail, Wave,
};
use compiler::{AccountFilter, Bundle, Members, Part, StackSet, Targets, stack_set_tags};
use serde_json::{Value, json};

use super::{ARCHIVE, HOME, HUB, MANAGEMENT};

fn part(name: &str, part: Part, template: &Value, targets: Targets, depends: &[&str]) -> StackSet {
    StackSet {
        name: name.into(),
        part,
        description: format!("{name} for tests"),
        template: template.to_string(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
        targets,
        depends_on: depends.iter().map(|&name| name.to_owned()).collect(),
        auto_deployment: part == Part::RulesSpoke,
        rules: BTreeMap::new(),
    }
}

fn members(filter: AccountFilter, regions: &[&str]) -> Members {
    Members {
        organizational_units: vec!["r-exmp".into()],
        accounts: filter,
        regions: regions.iter().map(|&region| region.to_owned()).collect(),
    }
}

/// A template with one EventBridge rule per rule.
pub(crate) fn rules_template(rules: &[(&str, &str)]) -> Value {
    let resources: serde_json::Map<String, Value> = rules
        .iter()
        .map(|(id, source)| {
            let resource = json!({
                "Type": "AWS::Events::Rule",
                "Metadata": {"gizmos": {"rule": id}},
                "Properties": {"EventPattern": {"source": [source]}},
            });
            (format!("Rule{}", id.replace('-', "")), resource)
        })
        .collect();
    json!({"Resources": resources})
}

/// A small bundle: bucket, topic, hub rules and spokes with two Regions and a canary wave.
#[expect(clippy::too_many_lines, reason = "one literal")]
pub(crate) fn bundle() -> Bundle {
    let organization = Organization {
        id: "o-exampleorg1".into(),
        root: "r-exmp".into(),
        installation: "gizmos".into(),
        home_region: HOME.into(),
        regions: vec![HOME.into(), "us-east-1".into()],
        region_source: RegionSource::Listed,
        accounts: Accounts {
            management: MANAGEMENT.into(),
            log_archive: ARCHIVE.into(),
            hub: HUB.into(),
        },
        targets: TargetScope {
            organizational_units: vec!["r-exmp".into()],
            exclude_accounts: Vec::new(),
        },
        topology: Topology::Hub,
        forward: Forward::Exact,
        publish: Publish::Role,
        findings: None,
        deployers: Vec::new(),
        access_role: "OrganizationAccountAccessRole".into(),
        trail: Trail::Own(OwnTrail::default()),
        topics: vec![Topic {
            name: "alerts".into(),
            severities: rules::Severity::ALL.to_vec(),
            subscriptions: vec![Subscription {
                protocol: Protocol::Email,
                endpoint: "security@example.com".into(),
            }],
        }],
        waves: vec![Wave {
            name: "canary".into(),
            organizational_units: vec!["ou-exmp-development".into()],
            accounts: Vec::new(),
            soak_minutes: 10,
        }],
        artifacts: None,
        drift_schedule: None,
    };
    let only = |id: &str| Targets {
        members: Some(members(AccountFilter::Only(vec![id.into()]), &[HOME])),
        management_regions: Vec::new(),
    };
    let topic = json!({
        "Resources": {
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {
                "Name": "gizmos",
                "Policy": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents",
                    "Resource": {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/gizmos"}}]}}},
            "DeadLetters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "gizmos-dead-letters"}},
            "AlertsTopic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "gizmos-alerts"}},
            "AlertsTopicSubscription": {"Type": "AWS::SNS::Subscription", "Properties": {
                "TopicArn": {"Ref": "AlertsTopic"}, "Protocol": "email", "Endpoint": "security@example.com"}},
        }
    });
    let spoke = json!({
        "Resources": {"Forwarder": {"Type": "AWS::Events::Rule"}},
        "Outputs": {"DeadLettersUrl": {"Value": "url"}, "ForwarderRoleName": {"Value": "name"}},
    });
    let trail = json!({"Resources": {"Trail": {"Type": "AWS::CloudTrail::Trail"}}});
    let mut stack_sets = vec![
        part(
            "gizmos-bucket",
            Part::Bucket,
            &json!({"Resources": {}}),
            only(ARCHIVE),
            &[],
        ),
        part(
            "gizmos-trail",
            Part::Trail,
            &trail,
            Targets {
                members: None,
                management_regions: vec![HOME.into()],
            },
            &["gizmos-bucket"],
        ),
        part("gizmos-topic", Part::Topic, &topic, only(HUB), &[]),
        part(
            "gizmos-rules-hub",
            Part::RulesHub,
            &rules_template(&[
                ("root-user-activity", "aws.signin"),
                ("ec2-stopped", "aws.ec2"),
            ]),
            only(HUB),
            &["gizmos-topic"],
        ),
        part(
            "gizmos-rules-spoke",
            Part::RulesSpoke,
            &spoke,
            Targets {
                members: Some(members(AccountFilter::All, &[HOME, "us-east-1"])),
                management_regions: vec![HOME.into(), "us-east-1".into()],
            },
            &["gizmos-rules-hub"],
        ),
    ];
    for set in &mut stack_sets {
        set.tags = stack_set_tags(&organization, set.part);
    }
    Bundle {
        organization,
        stack_sets,
        needs: BTreeMap::new(),
    }
}
