//! Stack sets: targets, operations, tolerance, automatic deployment.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Lab;

pub(super) const TEMPLATE: &str =
    "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: fixed}}}";
const PRODUCTION: &str = "ou-exmp-production";
const DEVELOPMENT: &str = "ou-exmp-development";
pub(super) const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];
const FAST: &str = r#"{"MaxConcurrentPercentage": 100, "FailureTolerancePercentage": 100, "RegionConcurrencyType": "PARALLEL", "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE"}"#;

pub(super) fn fast() -> Value {
    serde_json::from_str(FAST).unwrap()
}

impl Lab {
    /// Creates the stack set `s` without instances.
    pub(super) fn with_set(managed: bool) -> Lab {
        let mut lab = Lab::new();
        let set = json!({
            "StackSetName": "s",
            "TemplateBody": TEMPLATE,
            "PermissionModel": "SERVICE_MANAGED",
            "AutoDeployment": {"Enabled": true, "RetainStacksOnAccountRemoval": false},
            "ManagedExecution": {"Active": managed},
        });
        lab.ok("CreateStackSet", &set);
        lab
    }

    pub(super) fn instances(&mut self) -> BTreeMap<(String, String), (String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let answer = self.ok("ListStackInstances", &json!({"StackSetName": "s"}));
        answer["Summaries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                (
                    (text(&item["Account"]), text(&item["Region"])),
                    (
                        text(&item["Status"]),
                        text(&item["StackInstanceStatus"]["DetailedStatus"]),
                    ),
                )
            })
            .collect()
    }

    pub(super) fn count(&mut self, status: &str) -> usize {
        self.instances()
            .values()
            .filter(|(a, b)| a == status || b == status)
            .count()
    }

    /// Starts `action` on `s` with more parameters. Returns the operation's id.
    pub(super) fn begin(&mut self, action: &str, more: &Value) -> String {
        let mut input = json!({"StackSetName": "s"});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.ok(action, &input)["OperationId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(super) fn deploy(&mut self, units: &[&str], preferences: &Value) -> String {
        let targets = json!({"OrganizationalUnitIds": units});
        self.begin(
            "CreateStackInstances",
            &json!({"DeploymentTargets": targets, "Regions": REGIONS, "OperationPreferences": preferences}),
        )
    }

    pub(super) fn operation(&mut self, id: &str) -> Value {
        let input = json!({"StackSetName": "s", "OperationId": id});
        self.ok("DescribeStackSetOperation", &input)["StackSetOperation"].clone()
    }

    pub(super) fn results(&mut self, id: &str) -> BTreeMap<String, usize> {
        let input = json!({"StackSetName": "s", "OperationId": id});
        let answer = self.ok("ListStackSetOperationResults", &input);
        let mut counts = BTreeMap::new();
        for result in answer["Summaries"].as_array().unwrap() {
            *counts
                .entry(result["Status"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        counts
    }

    /// Occupies the queue's name in an account's home Region, so that the stack set fails there.
    fn occupy(&mut self, account: &str) {
        let input = json!({"StackName": "squatter", "TemplateBody": TEMPLATE});
        self.call(account, "CreateStack", &input).unwrap();
        self.wait(30.0);
    }
}

fn counts(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs
        .iter()
        .map(|(status, count)| ((*status).to_owned(), *count))
        .collect()
}

#[test]
fn an_operation_reaches_every_account_and_region_of_the_units() {
    let mut lab = Lab::with_set(false);
    let id = lab.deploy(&[PRODUCTION, DEVELOPMENT], &fast());
    assert_eq!(lab.operation(&id)["Status"], "RUNNING");
    assert_eq!(lab.count("PENDING"), 18);
    lab.wait(5.0);
    assert_eq!(lab.count("RUNNING"), 18);
    lab.wait(30.0);
    assert_eq!(lab.operation(&id)["Status"], "SUCCEEDED");
    assert_eq!(lab.count("CURRENT"), 18);
    assert!(
        !lab.instances()
            .keys()
            .any(|(account, _)| account == "111122223333")
    );
}

#[test]
fn targeting_the_root_excludes_the_management_account() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&["r-exmp"], &fast());
    lab.wait(60.0);
    assert_eq!(lab.instances().len(), 11 * 2);
    let named = json!({
        "StackSetName": "s",
        "DeploymentTargets": {"OrganizationalUnitIds": ["r-exmp"], "Accounts": ["111122223333"], "AccountFilterType": "INTERSECTION"},
        "Regions": REGIONS,
    });
    assert!(
        lab.refused("CreateStackInstances", &named)
            .contains("management account")
    );
}

#[test]
fn account_filters_narrow_units() {
    for (filter, expected) in [("INTERSECTION", 1), ("DIFFERENCE", 4)] {
        let mut lab = Lab::with_set(false);
        let targets = json!({"OrganizationalUnitIds": [PRODUCTION], "Accounts": ["012345678901"], "AccountFilterType": filter});
        lab.begin(
            "CreateStackInstances",
            &json!({"DeploymentTargets": targets, "Regions": ["us-east-1"]}),
        );
        assert_eq!(lab.instances().len(), expected, "{filter}");
    }
    let mut lab = Lab::with_set(false);
    for (targets, message) in [
        (
            json!({"OrganizationalUnitIds": [PRODUCTION], "Accounts": ["012345678901"]}),
            "AccountFilterType should be specified",
        ),
        (
            json!({"OrganizationalUnitIds": [PRODUCTION], "Accounts": ["012345678901"], "AccountFilterType": "UNION"}),
            "UNION is not supported",
        ),
        (
            json!({"OrganizationalUnitIds": ["ou-exmp-nowhere1"]}),
            "does not exist in the organization",
        ),
        (
            json!({"Accounts": ["012345678901"]}),
            "OrganizationalUnitIds are required",
        ),
    ] {
        let input = json!({"StackSetName": "s", "DeploymentTargets": targets, "Regions": REGIONS});
        let refused = lab.refused("CreateStackInstances", &input);
        assert!(refused.contains(message), "{refused}");
    }
    let input = json!({"StackSetName": "s", "DeploymentTargets": {"OrganizationalUnitIds": [PRODUCTION]}, "Regions": ["mars-1"]});
    assert!(
        lab.refused("CreateStackInstances", &input)
            .contains("Region mars-1")
    );
}

#[test]
fn default_preferences_go_account_by_account_and_region_by_region() {
    let mut lab = Lab::with_set(false);
    let id = lab.deploy(
        &[PRODUCTION],
        &json!({"RegionOrder": ["us-east-1", "eu-central-1"]}),
    );
    let mut most = 0;
    let mut seen_home_early = false;
    for _ in 0..400 {
        lab.wait(1.0);
        most = most.max(lab.count("RUNNING"));
        let done_first = lab
            .instances()
            .iter()
            .filter(|(location, it)| location.1 == "us-east-1" && it.0 == "CURRENT")
            .count();
        let home = lab
            .instances()
            .iter()
            .any(|(location, it)| location.1 == "eu-central-1" && it.1 != "PENDING");
        seen_home_early |= home && done_first < 5;
    }
    assert_eq!(most, 1);
    assert!(!seen_home_early);
    assert_eq!(lab.operation(&id)["Status"], "SUCCEEDED");
}

#[test]
fn strict_mode_slows_down_and_soft_mode_does_not() {
    for (mode, expected) in [
        ("STRICT_FAILURE_TOLERANCE", 2),
        ("SOFT_FAILURE_TOLERANCE", 5),
    ] {
        let mut lab = Lab::with_set(false);
        lab.deploy(
            &[PRODUCTION],
            &json!({"MaxConcurrentCount": 5, "FailureToleranceCount": 1, "ConcurrencyMode": mode}),
        );
        lab.wait(3.0);
        assert_eq!(lab.count("RUNNING"), expected, "{mode}");
    }
}

#[test]
fn failures_within_tolerance_are_reported_and_the_operation_succeeds() {
    let mut lab = Lab::with_set(false);
    lab.occupy("100000000003");
    let id = lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let operation = lab.operation(&id);
    assert_eq!(operation["Status"], "SUCCEEDED");
    assert_eq!(operation["StatusDetails"]["FailedStackInstancesCount"], 1);
    let failed = json!({"StackSetName": "s", "OperationId": id, "Filters": [{"Name": "OPERATION_RESULT_STATUS", "Values": "FAILED"}]});
    let result = &lab.ok("ListStackSetOperationResults", &failed)["Summaries"][0];
    assert_eq!(result["Account"], "100000000003");
    let reason = result["StatusReason"].as_str().unwrap();
    assert!(
        reason.starts_with(
            "ResourceLogicalId:Q, ResourceType:AWS::SQS::Queue, ResourceStatusReason:"
        ),
        "{reason}"
    );
    let instances = lab.instances();
    let instance = &instances[&("100000000003".to_owned(), "eu-central-1".to_owned())];
    assert_eq!(instance, &("OUTDATED".to_owned(), "FAILED".to_owned()));

    // After the cause is removed, a new operation updates the instance.
    lab.call(
        "100000000003",
        "DeleteStack",
        &json!({"StackName": "squatter"}),
    )
    .unwrap();
    lab.wait(30.0);
    lab.begin(
        "UpdateStackSet",
        &json!({"UsePreviousTemplate": true, "OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    assert_eq!(lab.count("CURRENT"), 10);
}

#[test]
fn exceeded_tolerance_cancels_remaining_accounts_and_regions() {
    let mut lab = Lab::with_set(false);
    lab.occupy("012345678901");
    let id = lab.deploy(&[PRODUCTION], &json!({"RegionOrder": ["eu-central-1"]}));
    lab.wait(300.0);
    assert_eq!(lab.operation(&id)["Status"], "FAILED");
    assert_eq!(lab.results(&id), counts(&[("CANCELLED", 9), ("FAILED", 1)]));
    assert_eq!(lab.count("OUTDATED"), 10);
}

#[test]
fn one_operation_at_a_time_and_every_id_once() {
    let mut lab = Lab::with_set(false);
    let targets = json!({"OrganizationalUnitIds": [PRODUCTION]});
    let input = json!({"StackSetName": "s", "DeploymentTargets": targets, "Regions": REGIONS, "OperationId": "mine"});
    lab.ok("CreateStackInstances", &input);
    let refused = lab.refused("CreateStackInstances", &input);
    assert!(
        refused.starts_with("OperationIdAlreadyExistsException"),
        "{refused}"
    );
    let mut other = input.clone();
    other["OperationId"] = "other".into();
    let refused = lab.refused("CreateStackInstances", &other);
    assert!(
        refused.starts_with("OperationInProgressException"),
        "{refused}"
    );
    assert!(
        lab.refused("DeleteStackSet", &json!({"StackSetName": "s"}))
            .starts_with("OperationInProgressException")
    );
    lab.wait(400.0);
    assert!(
        lab.refused("DeleteStackSet", &json!({"StackSetName": "s"}))
            .starts_with("StackSetNotEmptyException")
    );
}

#[test]
fn managed_execution_queues_what_conflicts() {
    let mut lab = Lab::with_set(true);
    let first = lab.deploy(&[PRODUCTION], &fast());
    let apart = lab.deploy(&[DEVELOPMENT], &fast());
    let conflicting = lab.begin(
        "UpdateStackSet",
        &json!({"TemplateBody": TEMPLATE.replace("fixed", "other")}),
    );
    assert_eq!(lab.operation(&apart)["Status"], "RUNNING");
    assert_eq!(lab.operation(&conflicting)["Status"], "QUEUED");
    lab.wait(600.0);
    for id in [first, apart, conflicting] {
        assert_eq!(lab.operation(&id)["Status"], "SUCCEEDED");
    }
    let body =
        lab.ok("DescribeStackSet", &json!({"StackSetName": "s"}))["StackSet"]["TemplateBody"]
            .clone();
    assert!(body.as_str().unwrap().contains("other"));
}

#[test]
fn a_new_template_outdates_all_instances_and_updates_the_targeted() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let wave = json!({"OrganizationalUnitIds": [PRODUCTION], "Accounts": ["012345678901"], "AccountFilterType": "INTERSECTION"});
    let template = "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: fixed, VisibilityTimeout: 77}}}";
    lab.begin(
        "UpdateStackSet",
        &json!({"TemplateBody": template, "DeploymentTargets": wave, "Regions": REGIONS, "OperationPreferences": fast()}),
    );
    assert_eq!(lab.count("OUTDATED"), 10);
    lab.wait(60.0);
    assert_eq!(lab.count("CURRENT"), 2);
    lab.begin(
        "UpdateStackSet",
        &json!({"UsePreviousTemplate": true, "OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    assert_eq!(lab.count("CURRENT"), 10);
    let ragged = json!({"StackSetName": "s", "UsePreviousTemplate": true, "DeploymentTargets": wave, "Regions": ["us-west-2"]});
    assert!(
        lab.refused("UpdateStackSet", &ragged)
            .starts_with("StackInstanceNotFoundException")
    );
}

#[test]
fn stopped_operation_finishes_running_work_and_cancels_the_rest() {
    let mut lab = Lab::with_set(false);
    let id = lab.deploy(&[PRODUCTION], &json!({}));
    lab.wait(5.0);
    let input = json!({"StackSetName": "s", "OperationId": id});
    lab.ok("StopStackSetOperation", &input);
    assert_eq!(lab.operation(&id)["Status"], "STOPPING");
    lab.wait(60.0);
    assert_eq!(lab.operation(&id)["Status"], "STOPPED");
    assert_eq!(
        lab.results(&id),
        counts(&[("CANCELLED", 9), ("SUCCEEDED", 1)])
    );
    assert!(
        lab.refused("StopStackSetOperation", &input)
            .starts_with("InvalidOperationException")
    );
}

#[test]
fn deleting_instances_deletes_their_stacks_unless_retained() {
    for retain in [false, true] {
        let mut lab = Lab::with_set(false);
        lab.deploy(&[PRODUCTION], &fast());
        lab.wait(60.0);
        let targets = json!({"OrganizationalUnitIds": [PRODUCTION]});
        lab.begin(
            "DeleteStackInstances",
            &json!({"DeploymentTargets": targets, "Regions": REGIONS, "RetainStacks": retain, "OperationPreferences": fast()}),
        );
        lab.wait(60.0);
        assert!(lab.instances().is_empty());
        let stacks = lab
            .call("012345678901", "DescribeStacks", &json!({}))
            .unwrap();
        assert_eq!(
            stacks["Stacks"].as_array().unwrap().len(),
            usize::from(retain)
        );
        lab.ok("DeleteStackSet", &json!({"StackSetName": "s"}));
        assert!(
            lab.refused("ListStackInstances", &json!({"StackSetName": "s"}))
                .starts_with("StackSetNotFoundException")
        );
    }
}

#[test]
fn a_stack_that_can_not_be_deleted_makes_its_instance_inoperable() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let stack = lab
        .call("012345678901", "DescribeStacks", &json!({}))
        .unwrap()["Stacks"][0]["StackName"]
        .clone();
    let protect = json!({"StackName": stack, "EnableTerminationProtection": true});
    lab.call("012345678901", "UpdateTerminationProtection", &protect)
        .unwrap();
    let targets = json!({"OrganizationalUnitIds": [PRODUCTION]});
    lab.begin(
        "DeleteStackInstances",
        &json!({"DeploymentTargets": targets, "Regions": REGIONS, "RetainStacks": false, "OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    let instances = lab.instances();
    assert_eq!(instances.len(), 1);
    assert_eq!(instances.values().next().unwrap().0, "INOPERABLE");
}

#[test]
fn automatic_deployment_follows_accounts_minutes_later() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let new = crate::services::organizations::create_account(
        &mut lab.world.services,
        "new",
        PRODUCTION,
        None,
    )
    .unwrap();
    lab.wait(60.0);
    assert_eq!(lab.instances().len(), 10);
    lab.wait(900.0);
    assert_eq!(lab.instances().len(), 12);
    assert_eq!(lab.count("CURRENT"), 12);
    let moved =
        json!({"AccountId": new, "SourceParentId": PRODUCTION, "DestinationParentId": DEVELOPMENT});
    lab.ok("MoveAccount", &moved);
    lab.wait(900.0);
    assert_eq!(lab.instances().len(), 10);
}

#[test]
fn suspended_accounts_are_skipped() {
    let mut lab = Lab::with_set(false);
    lab.ok("CloseAccount", &json!({"AccountId": "100000000002"}));
    let id = lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    assert_eq!(lab.operation(&id)["Status"], "SUCCEEDED");
    assert_eq!(lab.count("SKIPPED_SUSPENDED_ACCOUNT"), 2);
    assert_eq!(lab.count("CURRENT"), 8);
}

#[test]
fn drift_detection_finds_a_deleted_resource() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let stack = lab.call(
        "012345678901",
        "DescribeStackResources",
        &json!({"StackName": {}}),
    );
    assert!(stack.is_err());
    let stacks = lab
        .call("012345678901", "DescribeStacks", &json!({}))
        .unwrap();
    let name = stacks["Stacks"][0]["StackName"].clone();
    let resources = lab
        .call(
            "012345678901",
            "DescribeStackResources",
            &json!({"StackName": name}),
        )
        .unwrap();
    let url = resources["StackResources"][0]["PhysicalResourceId"]
        .as_str()
        .unwrap()
        .to_owned();
    let caller = crate::wire::api::Caller {
        account: "012345678901".to_owned(),
        region: "eu-central-1".to_owned(),
        arn: "arn:aws:iam::012345678901:root".to_owned(),
        role: None,
        session_policy: None,
    };
    lab.world
        .with_services(|cloud| {
            crate::services::call(
                cloud,
                &caller,
                "sqs",
                "DeleteQueue",
                &json!({"QueueUrl": url}),
            )
        })
        .unwrap();
    let id = lab.begin(
        "DetectStackSetDrift",
        &json!({"OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    let details = lab.operation(&id)["StackSetDriftDetectionDetails"].clone();
    assert_eq!(details["DriftStatus"], "DRIFTED");
    assert_eq!(details["DriftedStackInstancesCount"], 1);
    assert_eq!(details["InSyncStackInstancesCount"], 9);
    let one = json!({"StackSetName": "s", "StackInstanceAccount": "012345678901", "StackInstanceRegion": "eu-central-1", "OperationId": id});
    let drifts = lab.ok("ListStackInstanceResourceDrifts", &one);
    assert_eq!(
        drifts["Summaries"][0]["StackResourceDriftStatus"],
        "DELETED"
    );
    // Drift detection doesn't outdate instances.
    assert_eq!(lab.count("CURRENT"), 10);
}

#[test]
fn delegated_administrator_must_set_call_as() {
    let mut lab = Lab::with_set(false);
    let plain = json!({"StackSetName": "s"});
    let delegated = json!({"StackSetName": "s", "CallAs": "DELEGATED_ADMIN"});
    let hub = "333344445555";
    let error = lab.call(hub, "DescribeStackSet", &delegated).unwrap_err();
    assert_eq!(
        error.message,
        "Account used is not a delegated administrator"
    );
    let principal = crate::services::organizations::STACKSETS_PRINCIPAL;
    let caller = crate::wire::api::Caller {
        account: crate::services::organizations::MANAGEMENT.to_owned(),
        region: "us-east-1".to_owned(),
        arn: "arn:aws:iam::111122223333:root".to_owned(),
        role: None,
        session_policy: None,
    };
    let register = json!({"AccountId": hub, "ServicePrincipal": principal});
    lab.world
        .with_services(|cloud| {
            crate::services::call(
                cloud,
                &caller,
                "organizations",
                "RegisterDelegatedAdministrator",
                &register,
            )
        })
        .unwrap();
    lab.call(hub, "DescribeStackSet", &delegated).unwrap();
    let error = lab.call(hub, "DescribeStackSet", &plain).unwrap_err();
    assert_eq!(error.code, "StackSetNotFoundException");
    assert!(
        lab.refused("DescribeStackSet", &delegated)
            .contains("not a delegated administrator")
    );
}

#[test]
fn without_trusted_access_there_are_no_service_managed_stack_sets() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.ok("DescribeOrganizationsAccess", &json!({}))["Status"],
        "ENABLED"
    );
    lab.ok("DeactivateOrganizationsAccess", &json!({}));
    assert_eq!(
        lab.ok("DescribeOrganizationsAccess", &json!({}))["Status"],
        "DISABLED"
    );
    let set = json!({
        "StackSetName": "s",
        "TemplateBody": TEMPLATE,
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": {"Enabled": false},
    });
    assert!(
        lab.refused("CreateStackSet", &set)
            .contains("enable organizations access")
    );
    lab.ok("ActivateOrganizationsAccess", &json!({}));
    lab.ok("CreateStackSet", &set);
    assert!(
        lab.refused("CreateStackSet", &set)
            .starts_with("NameAlreadyExistsException")
    );
}

#[test]
fn quotas_are_enforced() {
    let mut lab = Lab::with_set(true);
    lab.world.config.quotas.stack_sets = 1;
    lab.world.config.quotas.instances_per_stack_set = 9;
    lab.world.config.quotas.queued_operations = 1;
    let another = json!({"StackSetName": "t", "TemplateBody": TEMPLATE,
        "PermissionModel": "SERVICE_MANAGED", "AutoDeployment": {"Enabled": false}});
    let refused = lab.refused("CreateStackSet", &another);
    assert!(refused.starts_with("LimitExceededException"), "{refused}");
    // Five accounts in two Regions are ten instances.
    let create = json!({"StackSetName": "s", "Regions": REGIONS,
        "DeploymentTargets": {"OrganizationalUnitIds": [PRODUCTION]}});
    let refused = lab.refused("CreateStackInstances", &create);
    assert!(refused.starts_with("LimitExceededException"), "{refused}");
    lab.world.config.quotas.instances_per_stack_set = 10;
    lab.deploy(&[PRODUCTION], &fast());
    lab.deploy(&[PRODUCTION], &fast());
    let refused = lab.refused("CreateStackInstances", &create);
    assert!(refused.starts_with("LimitExceededException"), "{refused}");
    lab.wait(120.0);
    // An account at its stack quota fails alone.
    lab.world.config.quotas.stacks_per_region = 1;
    lab.world.config.quotas.instances_per_stack_set = 100;
    lab.occupy("100000000007");
    let refused = lab.call(
        "100000000007",
        "CreateStack",
        &json!({"StackName": "more", "TemplateBody": TEMPLATE}),
    );
    assert_eq!(refused.unwrap_err().code, "LimitExceededException");
    lab.deploy(&[DEVELOPMENT], &fast());
    lab.wait(120.0);
    assert_eq!(lab.count("FAILED"), 1);
}

#[test]
fn concurrency_quota_limits_accounts_per_region() {
    let mut lab = Lab::with_set(false);
    lab.world.config.quotas.concurrent_instances_per_region = 2;
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(5.0);
    assert_eq!(lab.count("RUNNING"), 4);
}

#[test]
fn a_stopped_drift_detection_does_not_replace_the_last_result() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let describe = |lab: &mut Lab| {
        let set = lab.ok("DescribeStackSet", &json!({"StackSetName": "s"}));
        set["StackSet"]["StackSetDriftDetectionDetails"]["DriftStatus"].clone()
    };
    let id = lab.begin("DetectStackSetDrift", &json!({}));
    lab.wait(5.0);
    lab.ok(
        "StopStackSetOperation",
        &json!({"StackSetName": "s", "OperationId": id}),
    );
    lab.wait(60.0);
    assert_eq!(describe(&mut lab), "NOT_CHECKED");
    lab.begin(
        "DetectStackSetDrift",
        &json!({"OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    assert_eq!(describe(&mut lab), "IN_SYNC");
}
