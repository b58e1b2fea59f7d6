//! Checks the caller's IAM permissions.

use std::collections::BTreeSet;

use compiler::Bundle;
use compiler::organization::ARTIFACT_PREFIX;
use serde_json::json;

use super::Preflight;
use crate::ports::{Cloud, Identity, Permission};

/// Placeholder for the unique suffix of an ARN, which CloudFormation chooses.
const UNIQUE: &str = "00000000-0000-4000-8000-000000000000";

/// Actions needed on the same resources. For the resources that each action accepts, see
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html>
struct Need {
    actions: &'static [&'static str],
    /// ARNs that calls will name.
    resources: Vec<String>,
    /// Wildcard for a policy that matches all of them.
    pattern: String,
}

fn needs(bundle: &Bundle, caller: &Identity) -> Vec<Need> {
    let organization = &bundle.organization;
    let partition = organization.partition();
    let management = &organization.accounts.management;
    let home = &organization.home_region;
    let stack_sets = bundle
        .stack_sets
        .iter()
        .filter(|set| set.targets.members.is_some());
    let mut needs = vec![
        Need {
            actions: &["cloudformation:CreateStackSet"],
            resources: vec!["*".to_owned()],
            pattern: "*".to_owned(),
        },
        Need {
            actions: &[
                "cloudformation:UpdateStackSet",
                "cloudformation:DeleteStackSet",
                "cloudformation:CreateStackInstances",
                "cloudformation:UpdateStackInstances",
                "cloudformation:DeleteStackInstances",
                "cloudformation:StopStackSetOperation",
            ],
            // Stack sets belong to the management account, even if another account administers
            // them.
            resources: stack_sets
                .map(|set| {
                    let name = &set.name;
                    format!("arn:{partition}:cloudformation:{home}:{management}:stackset/{name}:{UNIQUE}")
                })
                .collect(),
            pattern: format!("arn:{partition}:cloudformation:{home}:{management}:stackset/gizmos-*:*"),
        },
    ];
    let objects =
        |bucket: &str, name: &str| format!("arn:{partition}:s3:::{bucket}/{ARTIFACT_PREFIX}{name}");
    if let Some(artifacts) = &organization.artifacts {
        needs.push(Need {
            actions: &["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"],
            resources: vec![objects(&artifacts.bucket, UNIQUE)],
            pattern: objects(&artifacts.bucket, "*"),
        });
    }
    // A caller in another account assumes the access role in the management account.
    if caller.account != *management {
        return needs;
    }
    let stacks = bundle.stack_sets.iter().flat_map(|set| {
        let regions = set.targets.management_regions.iter();
        regions.map(move |region| {
            let name = &set.name;
            format!("arn:{partition}:cloudformation:{region}:{management}:stack/{name}/{UNIQUE}")
        })
    });
    needs.push(Need {
        actions: &[
            "cloudformation:CreateChangeSet",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DeleteStack",
        ],
        resources: stacks.collect(),
        pattern: format!("arn:{partition}:cloudformation:*:{management}:stack/gizmos-*/*"),
    });
    if let Some(artifacts) = &organization.artifacts {
        let bucket = format!("arn:{partition}:s3:::{}", artifacts.bucket);
        needs.push(Need {
            actions: &[
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:ListBucketVersions",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            resources: vec![bucket.clone()],
            pattern: bucket,
        });
        needs.push(Need {
            actions: &["s3:DeleteObjectVersion"],
            resources: vec![objects(&artifacts.bucket, UNIQUE)],
            pattern: objects(&artifacts.bucket, "*"),
        });
    }
    needs
}

/// Simulates the caller's policies for every action that changes something.
pub(super) async fn check(
    cloud: &impl Cloud,
    bundle: &Bundle,
    caller: &Identity,
    found: &mut Preflight,
) {
    const WHAT: &str = "permissions";
    let mut asked = 0;
    let mut denied: Vec<String> = Vec::new();
    let mut statements = Vec::new();
    for need in needs(bundle, caller) {
        if need.resources.is_empty() {
            continue;
        }
        let answers = cloud
            .simulate_permissions(&caller.arn, need.actions, &need.resources)
            .await;
        let refused: BTreeSet<String> = match answers {
            Ok(answers) => answers
                .into_iter()
                .filter(|(_, permission)| *permission == Permission::Denied)
                .map(|(action, _)| action)
                .collect(),
            Err(error) => {
                found.unknown(WHAT, &error);
                return;
            }
        };
        asked += need.actions.len();
        if !refused.is_empty() {
            let actions: Vec<&str> = refused.iter().map(String::as_str).collect();
            denied.push(format!("{} on {}", actions.join(", "), need.pattern));
            let statement = json!({
                "Effect": "Allow", "Action": actions, "Resource": need.pattern,
            });
            statements.push(statement.to_string());
        }
    }
    if denied.is_empty() {
        found.pass(WHAT, format!("all {asked} actions allowed"));
    } else {
        found.fail(
            WHAT,
            format!("{} may not {}", caller.arn, denied.join("; ")),
            format!(
                "add to the statements of the caller's policy: {}",
                statements.join(", ")
            ),
        );
    }
}
