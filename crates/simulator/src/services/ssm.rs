//! AWS Systems Manager: the Automation runbooks that start and stop instances.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Hop, Outcome, Task, Trace, ec2, iam};
use crate::input::Input;
use crate::policy::{Context, Principal, Request};
use crate::services::Services;
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::{epoch, iso};

/// The service's principal.
const SERVICE: &str = "ssm.amazonaws.com";

/// The runbooks AWS owns and the simulator knows, with the action each takes on its instances.
const RUNBOOKS: [(&str, &str); 2] = [
    ("AWS-StartEC2Instance", "ec2:StartInstances"),
    ("AWS-StopEC2Instance", "ec2:StopInstances"),
];

/// All executions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ssm {
    /// By execution id.
    pub(crate) executions: BTreeMap<String, Execution>,
}

/// One execution of a runbook.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    account: String,
    region: String,
    document: String,
    instances: Vec<String>,
    /// The role the steps run as.
    role: Option<String>,
    /// Who started it, as an ARN.
    by: String,
    status: &'static str,
    failure: Option<String>,
    started: jiff::Timestamp,
    ended: Option<jiff::Timestamp>,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidAutomationExecutionParametersException", message)
}

/// Starts a runbook as `principal`, who must be allowed to pass the role the runbook is to run as;
/// gives the execution's id. Permission to start it at all has been checked.
pub(crate) fn start(
    services: &mut Services,
    place: (&str, &str),
    document: &str,
    parameters: &Value,
    principal: &Principal,
) -> Result<String, ApiError> {
    let (account, region) = place;
    if !RUNBOOKS.iter().any(|(name, _)| *name == document) {
        return Err(ApiError::new(
            "AutomationDefinitionNotFoundException",
            format!(
                "The automation definition {document} does not exist, or the simulator does not know it."
            ),
        ));
    }
    let mut given: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let object = parameters
        .as_object()
        .ok_or_else(|| invalid("the parameters are not a JSON object"))?;
    for (name, value) in object {
        let list = value
            .as_array()
            .and_then(|list| {
                list.iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect()
            })
            .ok_or_else(|| {
                invalid(format!(
                    "the value of the parameter {name} must be a list of strings"
                ))
            })?;
        match name.as_str() {
            "InstanceId" | "AutomationAssumeRole" => given.insert(name, list),
            _ => return Err(invalid(format!("{document} has no parameter {name}"))),
        };
    }
    let instances = given.remove("InstanceId").unwrap_or_default();
    let id_like = |id: &String| {
        id.strip_prefix("i-").is_some_and(|rest| {
            (rest.len() == 8 || rest.len() == 17) && rest.chars().all(|c| c.is_ascii_hexdigit())
        })
    };
    if instances.is_empty() || !instances.iter().all(id_like) {
        return Err(invalid(format!(
            "the parameter InstanceId must list instance ids, not {instances:?}"
        )));
    }
    let role = match given
        .remove("AutomationAssumeRole")
        .unwrap_or_default()
        .as_slice()
    {
        [] => None,
        [role] if role.is_empty() => None,
        [role] => Some(role.clone()),
        _ => return Err(invalid("AutomationAssumeRole takes one role")),
    };
    let id = services.environment.uuid();
    if let Some(role) = &role {
        may_pass(services, account, role, principal)?;
        let context = Context::new().with("aws:SourceAccount", account).with(
            "aws:SourceArn",
            format!("arn:aws:ssm:{region}:{account}:automation-execution/{id}"),
        );
        iam::service_may_assume(services, role, SERVICE, context).map_err(|why| {
            invalid(format!(
                "The defined assume role is unable to be assumed: {why}"
            ))
        })?;
    }
    let execution = Execution {
        account: account.to_owned(),
        region: region.to_owned(),
        document: document.to_owned(),
        instances,
        role: role.or_else(|| match principal {
            Principal::Role(role) => Some(role.clone()),
            Principal::Account(_) | Principal::Service(_) => None,
        }),
        by: principal.to_string(),
        status: "InProgress",
        failure: None,
        started: services.environment.now,
        ended: None,
    };
    services.ssm.executions.insert(id.clone(), execution);
    Ok(id)
}

fn may_pass(
    services: &Services,
    account: &str,
    role: &str,
    principal: &Principal,
) -> Result<(), ApiError> {
    if iam::role_account(role) != Some(account) {
        return Err(invalid(format!(
            "{role} is not a role of account {account}"
        )));
    }
    if let Principal::Role(own) = principal {
        let context = iam::organization_context(&services.organization, account, Context::new())
            .with("iam:PassedToService", SERVICE);
        let request = Request::new(principal.clone(), "iam:PassRole", role, context);
        let verdict = iam::identity(services, own, &request);
        if !verdict.allowed {
            return Err(ApiError::new(
                "AccessDeniedException",
                format!(
                    "{principal} may not pass the role {role} to {SERVICE}: {}",
                    verdict.reason
                ),
            ));
        }
    }
    Ok(())
}

impl Ssm {
    /// The account in which an execution runs.
    pub(crate) fn account_of(&self, execution: &str) -> Option<String> {
        let execution = self.executions.get(execution)?;
        Some(execution.account.clone())
    }
}

/// Runs a started execution to its end, each step with the permissions of the execution's role.
/// The notification of its status is emitted a moment later.
pub(crate) fn run(services: &mut Services, id: &str, trace: &mut Trace) {
    let Some(execution) = services.ssm.executions.get(id).cloned() else {
        return;
    };
    let action = RUNBOOKS
        .iter()
        .find(|(name, _)| *name == execution.document)
        .map_or("", |(_, action)| *action);
    let outcome = steps(services, &execution, action);
    let hop = |outcome, detail| {
        Hop::new(
            (&execution.account, &execution.region),
            format!("automation {}", execution.document),
            outcome,
            detail,
        )
    };
    trace.hops.push(match &outcome {
        Ok(()) => hop(
            Outcome::Ok,
            format!("{action} on {}", execution.instances.join(", ")),
        ),
        Err((outcome, why)) => hop(*outcome, why.clone()),
    });
    let now = services.environment.now;
    let status = if outcome.is_ok() { "Success" } else { "Failed" };
    if let Some(execution) = services.ssm.executions.get_mut(id) {
        execution.status = status;
        execution.ended = Some(now);
        execution.failure = outcome.err().map(|(_, why)| why);
    }
    let event = json!({
        "detail-type": "EC2 Automation Execution Status-change Notification",
        "source": "aws.ssm",
        "resources": [format!(
            "arn:aws:ssm:{}:{}:automation-execution/{id}", execution.region, execution.account
        )],
        "detail": {
            "ExecutionId": id,
            "Definition": execution.document,
            "DefinitionVersion": "1",
            "Status": status,
            "StartTime": iso(execution.started),
            "EndTime": iso(now),
            "Time": iso(now),
            "ExecutedBy": execution.by,
        },
    });
    services.environment.schedule(
        1,
        Task::Emit {
            account: execution.account.clone(),
            region: execution.region.clone(),
            event: event.to_string(),
        },
    );
}

fn steps(
    services: &mut Services,
    execution: &Execution,
    action: &str,
) -> Result<(), (Outcome, String)> {
    let place = (execution.account.as_str(), execution.region.as_str());
    for id in &execution.instances {
        let arn = ec2::instance_arn(place.0, place.1, id);
        let key = (place.0.to_owned(), place.1.to_owned(), id.clone());
        if let Some(role) = &execution.role {
            let mut context =
                iam::organization_context(&services.organization, place.0, Context::new())
                    .with("ec2:Region", place.1)
                    .with("aws:RequestedRegion", place.1);
            if let Some(instance) = services.ec2.instances.get(&key) {
                for (tag, value) in &instance.tags {
                    context = context
                        .with(&format!("aws:ResourceTag/{tag}"), value.as_str())
                        .with(&format!("ec2:ResourceTag/{tag}"), value.as_str());
                }
            }
            for (action, resource) in [
                (action, arn.as_str()),
                ("ec2:DescribeInstanceStatus", "*"),
                ("ec2:DescribeInstances", "*"),
            ] {
                let request = Request::new(
                    Principal::Role(role.clone()),
                    action,
                    resource,
                    context.clone(),
                );
                let verdict = iam::identity(services, role, &request);
                if !verdict.allowed {
                    return Err((Outcome::Denied, format!("AccessDenied: {}", verdict.reason)));
                }
            }
        }
        ec2::turn(services, place, id, action == "ec2:StartInstances").map_err(|error| {
            (
                Outcome::Failed,
                format!("{}: {}", error.code, error.message),
            )
        })?;
    }
    Ok(())
}

/// Answers one SSM action.
pub(crate) fn call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "StartAutomationExecution" => {
            let input = Input::new(input, &["DocumentName", "DocumentVersion", "Parameters"])?;
            let parameters = input
                .value("Parameters")
                .cloned()
                .unwrap_or_else(|| json!({}));
            let place = (caller.account.as_str(), caller.region.as_str());
            let principal = iam::principal(caller);
            let id = start(
                services,
                place,
                input.required("DocumentName")?,
                &parameters,
                &principal,
            )?;
            services.environment.schedule(
                1,
                Task::RunAutomation {
                    execution: id.clone(),
                },
            );
            Ok(json!({"AutomationExecutionId": id}))
        }
        "GetAutomationExecution" => {
            let input = Input::new(input, &["AutomationExecutionId"])?;
            let id = input.required("AutomationExecutionId")?;
            let found = here(services, caller).find(|(known, _)| *known == id);
            match found {
                Some((id, execution)) => {
                    Ok(json!({"AutomationExecution": describe(id, execution)}))
                }
                None => Err(ApiError::new(
                    "AutomationExecutionNotFoundException",
                    format!("Automation execution {id} does not exist."),
                )),
            }
        }
        "DescribeAutomationExecutions" => {
            let input = Input::new(input, &["MaxResults", "NextToken"])?;
            let all: Vec<Value> = here(services, caller)
                .map(|(id, execution)| describe(id, execution))
                .collect();
            let limit = input.page_size("MaxResults", 50)?;
            input.listing("AutomationExecutionMetadataList", all, limit)
        }
        _ => Err(ApiError::unknown_action("ssm", action)),
    }
}

fn here<'w>(
    services: &'w Services,
    caller: &'w Caller,
) -> impl Iterator<Item = (&'w str, &'w Execution)> {
    services
        .ssm
        .executions
        .iter()
        .filter(|(_, execution)| {
            execution.account == caller.account && execution.region == caller.region
        })
        .map(|(id, execution)| (id.as_str(), execution))
}

fn describe(id: &str, execution: &Execution) -> Value {
    let mut answer = json!({
        "AutomationExecutionId": id,
        "DocumentName": execution.document,
        "DocumentVersion": "1",
        "AutomationExecutionStatus": execution.status,
        "ExecutionStartTime": epoch(execution.started),
        "ExecutedBy": execution.by,
        "Mode": "Auto",
    });
    if let Some(answer) = answer.as_object_mut() {
        if let Some(ended) = execution.ended {
            answer.insert("ExecutionEndTime".to_owned(), epoch(ended));
        }
        if let Some(failure) = &execution.failure {
            answer.insert("FailureMessage".to_owned(), json!(failure));
        }
    }
    answer
}
