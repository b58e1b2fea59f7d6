//! Amazon EventBridge Scheduler: schedules that call AWS APIs through universal targets.

mod expression;
pub(crate) mod resources;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use expression::Expression;

use super::{Task, iam, monitoring, sqs};
use crate::Services;
use crate::environment::{Cloud, Look};
use crate::policy::{Context, Principal, Request};
use crate::wire::api::{ApiError, Caller};

/// The service principal in policies.
const SERVICE: &str = "scheduler.amazonaws.com";
/// ARN prefix of universal targets; `SERVICE:ACTION` follows.
const UNIVERSAL: &str = "arn:aws:scheduler:::aws-sdk:";
/// Virtual seconds between attempts.
const RETRY: i64 = 60;

/// All schedules of EventBridge Scheduler.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    /// By ARN.
    pub schedules: BTreeMap<String, Schedule>,
}

/// A schedule with a universal target.
#[derive(Clone, Debug)]
pub struct Schedule {
    account: String,
    region: String,
    /// As in `AWS::Scheduler::Schedule`.
    pub(crate) properties: Map<String, Value>,
    expression: Expression,
    made: Timestamp,
    /// Counts changes, to drop calls planned before the last one.
    version: u64,
    /// Outcomes of calls, oldest first.
    pub outcomes: Vec<Result<(), String>>,
}

/// A planned call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    schedule: String,
    version: u64,
    /// Due time of the first attempt, from which the retry policy's limit counts.
    due: Timestamp,
    attempt: i64,
}

fn schedule_arn(account: &str, region: &str, group: &str, name: &str) -> String {
    format!("arn:aws:scheduler:{region}:{account}:schedule/{group}/{name}")
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

/// Creates or updates a schedule from template properties.
fn put(
    services: &mut Services,
    (account, region): (&str, &str),
    arn: &str,
    properties: Map<String, Value>,
) -> Result<(), ApiError> {
    let expression = check(&properties)?;
    // AWS checks at creation that the role exists and trusts the service.
    let role = properties
        .get("Target")
        .and_then(|target| target.get("RoleArn")?.as_str())
        .unwrap_or_default();
    iam::service_may_assume(services, role, SERVICE, context(account, arn)).map_err(|_| {
        invalid(format!(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role. ({role})"
        ))
    })?;
    let now = services.environment.now;
    let known = services.scheduler.schedules.remove(arn);
    let (made, version, outcomes) = known.map_or((now, 0, Vec::new()), |known| {
        (known.made, known.version + 1, known.outcomes)
    });
    let schedule = Schedule {
        account: account.to_owned(),
        region: region.to_owned(),
        properties,
        expression,
        made,
        version,
        outcomes,
    };
    services
        .scheduler
        .schedules
        .insert(arn.to_owned(), schedule);
    plan(services, arn);
    Ok(())
}

/// Checks a schedule's properties and parses its expression.
fn check(properties: &Map<String, Value>) -> Result<Expression, ApiError> {
    let text = |name: &str| properties.get(name).and_then(Value::as_str);
    let written = text("ScheduleExpression").unwrap_or_default();
    let expression = Expression::parse(written)
        .ok_or_else(|| invalid(format!("Invalid Schedule Expression {written}.")))?;
    if text("ScheduleExpressionTimezone").is_some_and(|zone| zone != "UTC") {
        return Err(invalid("The simulator supports schedules in UTC only."));
    }
    let target = |name: &str| properties.get("Target")?.get(name)?.as_str();
    let arn = target("Arn").unwrap_or_default();
    if universal(arn).is_none() {
        return Err(invalid(format!(
            "Provided Arn is not in correct format, or the simulator has no such target: {arn}."
        )));
    }
    let input = target("Input").unwrap_or("{}");
    if !serde_json::from_str::<Value>(input).is_ok_and(|input| input.is_object()) {
        return Err(invalid(
            "Invalid RequestJson provided. Reason: it is not a JSON object.",
        ));
    }
    Ok(expression)
}

fn context(account: &str, arn: &str) -> Context {
    Context::new()
        .with("aws:SourceAccount", account)
        .with("aws:SourceArn", arn)
}

/// Service and action of a universal target. Its ARN has the action in camel case.
fn universal(arn: &str) -> Option<(&str, String)> {
    let (service, action) = arn.strip_prefix(UNIVERSAL)?.split_once(':')?;
    let mut letters = action.chars();
    let first = letters.next().filter(char::is_ascii_lowercase)?;
    // Like AWS, refuse read-only actions: a schedule discards the response.
    let reads = [
        "get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read",
    ];
    if reads.iter().any(|verb| action.starts_with(verb)) {
        return None;
    }
    let action = first.to_ascii_uppercase().to_string() + letters.as_str();
    Some((service, action))
}

impl Schedule {
    fn text(&self, section: &str, name: &str) -> Option<&str> {
        self.properties.get(section)?.get(name)?.as_str()
    }

    fn number(&self, section: &str, name: &str) -> Option<i64> {
        self.properties
            .get("Target")?
            .get(section)?
            .get(name)?
            .as_i64()
    }

    fn enabled(&self) -> bool {
        self.properties.get("State").and_then(Value::as_str) != Some("DISABLED")
    }
}

/// Schedules the next call on the virtual clock.
fn plan(services: &mut Services, arn: &str) {
    let now = services.environment.now;
    let Some(schedule) = services.scheduler.schedules.get(arn) else {
        return;
    };
    let Some(next) = schedule.expression.next(schedule.made, now) else {
        return;
    };
    let window = schedule
        .properties
        .get("FlexibleTimeWindow")
        .filter(|window| window.get("Mode").and_then(Value::as_str) == Some("FLEXIBLE"))
        .and_then(|window| window.get("MaximumWindowInMinutes")?.as_i64())
        .unwrap_or_default();
    let run = Run {
        schedule: arn.to_owned(),
        version: schedule.version,
        due: next,
        attempt: 0,
    };
    // A reproducible time within the flexible window.
    let draw = services.environment.token_of(&format!("{arn}|{next}"), 4);
    let draw = draw
        .bytes()
        .fold(0_i64, |sum, byte| sum * 36 + i64::from(byte));
    let late = if window > 0 { draw % (window * 60) } else { 0 };
    let seconds = next.duration_since(now).as_secs() + late;
    services
        .environment
        .schedule(seconds, Task::RunSchedule(run));
}

/// Makes a schedule's call and plans the next.
pub(crate) fn run(cloud: &mut Cloud<'_>, run: &Run) {
    let Some(schedule) = cloud.scheduler.schedules.get(&run.schedule) else {
        return;
    };
    if schedule.version != run.version {
        return;
    }
    if run.attempt == 0 {
        plan(cloud, &run.schedule);
    }
    let Some(schedule) = cloud.scheduler.schedules.get(&run.schedule).cloned() else {
        return;
    };
    if !schedule.enabled() {
        return;
    }
    cloud.look(&schedule.account, Look::ToChange);
    let outcome = call(cloud, &schedule, &run.schedule);
    let now = cloud.environment.now;
    if let Some(known) = cloud.scheduler.schedules.get_mut(&run.schedule) {
        let outcome = outcome.as_ref().map(|_| ());
        known
            .outcomes
            .push(outcome.map_err(|error| format!("{}: {}", error.code, error.message)));
    }
    let Err(error) = outcome else {
        return;
    };
    let attempts = schedule
        .number("RetryPolicy", "MaximumRetryAttempts")
        .unwrap_or(185);
    let oldest = schedule
        .number("RetryPolicy", "MaximumEventAgeInSeconds")
        .unwrap_or(86_400);
    let is_final = error.status == 403 || error.code.starts_with("Validation");
    let too_old = now.duration_since(run.due) >= SignedDuration::from_secs(oldest);
    if is_final || run.attempt >= attempts || too_old {
        dead_letter(cloud, &schedule, &run.schedule, &error);
        return;
    }
    let again = Run {
        attempt: run.attempt + 1,
        ..run.clone()
    };
    cloud.environment.schedule(RETRY, Task::RunSchedule(again));
}

fn call(cloud: &mut Cloud<'_>, schedule: &Schedule, arn: &str) -> Result<Value, ApiError> {
    let role = schedule.text("Target", "RoleArn").unwrap_or_default();
    let denied = |why: String| ApiError::new("AccessDenied", why).status(403);
    iam::service_may_assume(cloud, role, SERVICE, context(&schedule.account, arn))
        .map_err(denied)?;
    let target = schedule.text("Target", "Arn").unwrap_or_default();
    let (service, action) = universal(target).ok_or_else(|| invalid("no such target"))?;
    let input = schedule.text("Target", "Input").unwrap_or("{}");
    let input: Value = serde_json::from_str(input).map_err(|error| invalid(error.to_string()))?;
    let caller = Caller {
        account: schedule.account.clone(),
        region: schedule.region.clone(),
        arn: format!(
            "arn:aws:sts::{}:assumed-role/{}/scheduler",
            schedule.account,
            super::arn::short(role)
        ),
        role: Some(role.to_owned()),
        session_policy: None,
    };
    cloud.call(&caller, (service, &action), &input)
}

/// Sends a failed call to the schedule's dead-letter queue, if it has one that its role may use.
fn dead_letter(services: &mut Services, schedule: &Schedule, arn: &str, error: &ApiError) {
    let target = schedule.properties.get("Target");
    let queue = target.and_then(|target| target.get("DeadLetterConfig")?.get("Arn")?.as_str());
    let Some(queue) = queue.filter(|queue| services.sqs.queues.contains_key(*queue)) else {
        return;
    };
    let role = schedule.text("Target", "RoleArn").unwrap_or_default();
    let principal = Principal::Role(role.to_owned());
    let request = Request::new(principal, "sqs:SendMessage", queue, Context::new());
    if !iam::identity(services, role, &request).allowed {
        return;
    }
    let attributes = [
        ("ERROR_CODE", error.code.as_str()),
        ("ERROR_MESSAGE", error.message.as_str()),
        ("SCHEDULE_ARN", arn),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body = schedule.text("Target", "Input").unwrap_or("{}").to_owned();
    sqs::send(services, queue, body, attributes.into());
    monitoring::queue_changed(services, queue);
}
