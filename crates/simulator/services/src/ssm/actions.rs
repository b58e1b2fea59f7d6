//! The API actions of Systems Manager.

#![expect(
    clippy::needless_pass_by_value,
    reason = "handlers take their request by value even if they only borrow from it"
)]

use serde_json::{Value, json};

use super::{Execution, START, Ssm, required_resources, start};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::cloudtrail::record::{Call, record};
use crate::environment::Surprise;
use crate::wire::api::{ApiError, Caller};
use crate::wire::listing;
use crate::wire::time::epoch;
use crate::{Services, Task, authorize, iam, with};

/// Page size.
const PAGE: usize = 50;

actions! {
    /// All actions of Systems Manager.
    pub(crate) ACTIONS of "ssm" {
        Changes StartAutomationExecution (itself) services(start_automation_execution);
        Changes DeleteParameters (itself) services(delete_parameters);
        Reads GetAutomationExecution (anything) ssm(get_automation_execution);
        Reads DescribeAutomationExecutions (anything) ssm(describe_automation_executions);
    }
}

requests! {
    struct StartAutomationExecution {
        document_name: String,
        _document_version: Option<String>,
        parameters: Option<Value>,
    }
    struct DeleteParameters { names: Vec<String> }
    struct GetAutomationExecution { automation_execution_id: String }
    struct DescribeAutomationExecutions { max_results: Option<usize>, next_token: Option<String> }
}

fn start_automation_execution(
    request: StartAutomationExecution,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let location = (caller.account.as_str(), caller.region.as_str());
    let parameters = request.parameters.unwrap_or_else(|| json!({}));
    let principal = iam::principal(caller);
    let document = &request.document_name;
    let id = services.environment.uuid();
    for resource in required_resources(location, document, &id) {
        authorize(services, caller, START, &resource)?;
    }
    start(services, location, document, &id, &parameters, &principal)?;
    let execution = id.clone();
    services
        .environment
        .schedule(1, Task::RunAutomation { execution });
    Ok(json!({"AutomationExecutionId": id}))
}

/// No parameter exists in the simulator, so nothing is deleted; the call succeeds nevertheless.
fn delete_parameters(
    request: DeleteParameters,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let names = request.names;
    if !(1..=10).contains(&names.len()) {
        return Err(ApiError::new(
            "ValidationException",
            "Value at 'names' failed to satisfy constraint: Member must have length between 1 and 10",
        ));
    }
    for name in &names {
        let Caller {
            account, region, ..
        } = caller;
        let name = name.trim_start_matches('/');
        let arn = format!("arn:aws:ssm:{region}:{account}:parameter/{name}");
        authorize(services, caller, "ssm:DeleteParameters", &arn)?;
    }
    let hidden = Surprise::ParameterNamesAreHidden;
    let parameters = if services.environment.surprises(hidden) {
        Value::Null
    } else {
        json!({"names": names})
    };
    let call = Call {
        service: "ssm",
        action: "DeleteParameters",
        parameters,
    };
    record(services, caller, &call);
    Ok(json!({"DeletedParameters": [], "InvalidParameters": names}))
}

fn get_automation_execution(
    request: GetAutomationExecution,
    ssm: &mut Ssm,
    context: &mut Context<'_>,
) -> Answer {
    let id = &request.automation_execution_id;
    ssm.executions
        .get(id)
        .filter(|execution| is_of(execution, context.caller))
        .map(|execution| json!({"AutomationExecution": describe(id, execution)}))
        .ok_or_else(|| {
            ApiError::new(
                "AutomationExecutionNotFoundException",
                format!("Automation execution {id} does not exist."),
            )
        })
}

fn describe_automation_executions(
    request: DescribeAutomationExecutions,
    ssm: &mut Ssm,
    context: &mut Context<'_>,
) -> Answer {
    let all = ssm
        .executions
        .iter()
        .filter(|(_, execution)| is_of(execution, context.caller))
        .map(|(id, execution)| describe(id, execution))
        .collect();
    let (token, size) = (request.next_token.as_deref(), request.max_results);
    listing(
        "AutomationExecutionMetadataList",
        all,
        token,
        size.unwrap_or(PAGE),
    )
}

fn is_of(execution: &Execution, caller: &Caller) -> bool {
    execution.account == caller.account && execution.region == caller.region
}

fn describe(id: &str, execution: &Execution) -> Value {
    let answer = json!({
        "AutomationExecutionId": id,
        "DocumentName": execution.document,
        "DocumentVersion": "1",
        "AutomationExecutionStatus": execution.status,
        "ExecutionStartTime": epoch(execution.started),
        "ExecutedBy": execution.by,
        "Mode": "Auto",
    });
    let failure = execution.failure.clone();
    with(
        answer,
        [
            ("ExecutionEndTime", execution.ended.map(epoch)),
            ("FailureMessage", failure.map(Value::String)),
        ],
    )
}
