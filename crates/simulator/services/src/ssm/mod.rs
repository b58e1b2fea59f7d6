//! AWS Systems Manager: Automation runbooks that start and stop instances.

mod actions;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(crate) use actions::ACTIONS;

use super::{Hop, Outcome, Services, Task, Trace, ec2, iam};
use crate::policy::{Context, Principal, Request};
use crate::wire::api::ApiError;
use crate::wire::time::iso;

/// The service principal in policies.
const SERVICE: &str = "ssm.amazonaws.com";

/// The simulated AWS runbooks, with the EC2 action of each.
const RUNBOOKS: [(&str, &str); 2] = [
    ("AWS-StartEC2Instance", "ec2:StartInstances"),
    ("AWS-StopEC2Instance", "ec2:StopInstances"),
];

#[derive(Clone, Debug, Default)]
pub(crate) struct Ssm {
    /// By execution id.
    pub(crate) executions: BTreeMap<String, Execution>,
}

/// An execution of a runbook.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    account: String,
    region: String,
    document: String,
    instances: Vec<String>,
    /// The role the steps run as.
    role: Option<String>,
    /// ARN of the principal that started it.
    by: String,
    status: &'static str,
    failure: Option<String>,
    started: jiff::Timestamp,
    ended: Option<jiff::Timestamp>,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidAutomationExecutionParametersException", message)
}

/// Parameters of the simulated runbooks.
struct Parameters {
    instances: Vec<String>,
    role: Option<String>,
}

impl Parameters {
    fn read(document: &str, written: &Value) -> Result<Parameters, ApiError> {
        let written = written
            .as_object()
            .ok_or_else(|| invalid("the parameters are not a JSON object"))?;
        let (mut instances, mut roles) = (Vec::new(), Vec::new());
        for (name, value) in written {
            let list: Vec<String> = serde_json::from_value(value.clone()).map_err(|_| {
                invalid(format!(
                    "the value of the parameter {name} must be a list of strings"
                ))
            })?;
            match name.as_str() {
                "InstanceId" => instances = list,
                "AutomationAssumeRole" => roles = list,
                _ => return Err(invalid(format!("{document} has no parameter {name}"))),
            }
        }
        if instances.is_empty() || !instances.iter().all(|id| is_instance_id(id)) {
            return Err(invalid(format!(
                "the parameter InstanceId must list instance ids, not {instances:?}"
            )));
        }
        if roles.len() > 1 {
            return Err(invalid("AutomationAssumeRole takes one role"));
        }
        let role = roles.pop().filter(|role| !role.is_empty());
        Ok(Parameters { instances, role })
    }
}

fn is_instance_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|rest| {
        (rest.len() == 8 || rest.len() == 17) && rest.chars().all(|c| c.is_ascii_hexdigit())
    })
}

/// The action that starts a runbook, in policies.
pub(crate) const START: &str = "ssm:StartAutomationExecution";

/// What [`START`] is authorized on: the service authorization reference requires both the document,
/// which belongs to no account if AWS owns it, and the execution. `automation-definition`, which
/// rules name as their target, is optional there.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>
pub(crate) fn required_resources(
    (account, region): (&str, &str),
    document: &str,
    execution: &str,
) -> [String; 2] {
    let owner = if document.starts_with("AWS-") {
        ""
    } else {
        account
    };
    [
        format!("arn:aws:ssm:{region}:{owner}:document/{document}"),
        execution_arn(account, region, execution),
    ]
}

/// Starts a runbook as `principal`, which needs permission to pass the role that the runbook
/// assumes. `id` becomes the execution's id. The caller has checked the permission to start it, on
/// all [`required_resources`].
pub(crate) fn start(
    services: &mut Services,
    location: (&str, &str),
    document: &str,
    id: &str,
    parameters: &Value,
    principal: &Principal,
) -> Result<(), ApiError> {
    let (account, region) = location;
    if !RUNBOOKS.iter().any(|(name, _)| *name == document) {
        return Err(ApiError::new(
            "AutomationDefinitionNotFoundException",
            format!(
                "The automation definition {document} does not exist, or the simulator does not know it."
            ),
        ));
    }
    let Parameters { instances, role } = Parameters::read(document, parameters)?;
    if let Some(role) = &role {
        may_pass(services, account, role, principal)?;
        let context = Context::new()
            .with("aws:SourceAccount", account)
            .with("aws:SourceArn", execution_arn(account, region, id));
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
    services.ssm.executions.insert(id.to_owned(), execution);
    Ok(())
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

/// Runs an execution to completion, each step with the permissions of its role. The status
/// notification is emitted shortly after.
pub(crate) fn run(services: &mut Services, id: &str, trace: &mut Trace) {
    let Some(execution) = services.ssm.executions.get(id).cloned() else {
        return;
    };
    let action = RUNBOOKS
        .iter()
        .find(|(name, _)| *name == execution.document)
        .map_or("", |(_, action)| *action);
    let outcome = steps(services, &execution, action);
    let (result, detail) = match &outcome {
        Ok(()) => {
            let instances = execution.instances.join(", ");
            (Outcome::Ok, format!("{action} on {instances}"))
        }
        Err((result, why)) => (*result, why.clone()),
    };
    let location = (execution.account.as_str(), execution.region.as_str());
    let link = format!("automation {}", execution.document);
    trace.hops.push(Hop::new(location, link, result, detail));
    let now = services.environment.now;
    let status = if outcome.is_ok() { "Success" } else { "Failed" };
    if let Some(execution) = services.ssm.executions.get_mut(id) {
        execution.status = status;
        execution.ended = Some(now);
        execution.failure = outcome.err().map(|(_, why)| why);
    }
    let event = execution.notification(id, status, now).to_string();
    let Execution {
        account, region, ..
    } = execution;
    let emit = Task::Emit {
        account,
        region,
        event,
    };
    services.environment.schedule(1, emit);
}

impl Execution {
    fn notification(&self, id: &str, status: &str, now: jiff::Timestamp) -> Value {
        json!({
            "detail-type": "EC2 Automation Execution Status-change Notification",
            "source": "aws.ssm",
            "resources": [execution_arn(&self.account, &self.region, id)],
            "detail": {
                "ExecutionId": id,
                "Definition": self.document,
                "DefinitionVersion": "1",
                "Status": status,
                "StartTime": iso(self.started),
                "EndTime": iso(now),
                "Time": iso(now),
                "ExecutedBy": self.by,
            },
        })
    }
}

fn execution_arn(account: &str, region: &str, id: &str) -> String {
    format!("arn:aws:ssm:{region}:{account}:automation-execution/{id}")
}

fn steps(
    services: &mut Services,
    execution: &Execution,
    action: &str,
) -> Result<(), (Outcome, String)> {
    let location = (execution.account.as_str(), execution.region.as_str());
    for id in &execution.instances {
        if let Some(role) = &execution.role {
            check_role(services, location, role, action, id)
                .map_err(|why| (Outcome::Denied, format!("AccessDenied: {why}")))?;
        }
        ec2::turn(services, location, id, action == "ec2:StartInstances").map_err(|error| {
            let why = format!("{}: {}", error.code, error.message);
            (Outcome::Failed, why)
        })?;
    }
    Ok(())
}

/// Checks that a role may perform a runbook's action on an instance; the error is the reason if
/// not.
fn check_role(
    services: &Services,
    (account, region): (&str, &str),
    role: &str,
    action: &str,
    id: &str,
) -> Result<(), String> {
    let mut context = iam::organization_context(&services.organization, account, Context::new())
        .with("ec2:Region", region)
        .with("aws:RequestedRegion", region);
    let key = (account.to_owned(), region.to_owned(), id.to_owned());
    let instance = services.ec2.instances.get(&key);
    for (tag, value) in instance.iter().flat_map(|instance| &instance.tags) {
        context = context
            .with(&format!("aws:ResourceTag/{tag}"), value.as_str())
            .with(&format!("ec2:ResourceTag/{tag}"), value.as_str());
    }
    let arn = ec2::instance_arn(account, region, id);
    for (action, resource) in [
        (action, arn.as_str()),
        ("ec2:DescribeInstanceStatus", "*"),
        ("ec2:DescribeInstances", "*"),
    ] {
        let principal = Principal::Role(role.to_owned());
        let request = Request::new(principal, action, resource, context.clone());
        let verdict = iam::identity(services, role, &request);
        if !verdict.allowed {
            return Err(verdict.reason);
        }
    }
    Ok(())
}
