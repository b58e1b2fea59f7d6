//! Records of API calls, which CloudTrail sends to EventBridge minutes after the call.

use serde_json::{Value, json};

use crate::environment::Surprise;
use crate::wire::api::Caller;
use crate::{Services, Task};

/// How long CloudTrail takes to send a record to EventBridge, in seconds. AWS documents no limit;
/// about five minutes is the average for log files.
const DELAY: std::ops::RangeInclusive<i64> = 60..=420;

/// How much longer it takes with [`Surprise::RecordsAreLate`], in seconds.
const LATE: i64 = 1_140;

/// A management call that changes something.
pub(crate) struct Call<'a> {
    /// The service's name in events and endpoints, such as `ssm`.
    pub(crate) service: &'a str,
    /// Such as `DeleteParameters`.
    pub(crate) action: &'a str,
    /// In the case of CloudTrail, which begins names with a small letter.
    pub(crate) parameters: Value,
}

/// Schedules the event of a call. Whether a trail sends it is decided when it is due.
pub(crate) fn record(services: &mut Services, caller: &Caller, call: &Call<'_>) {
    let environment = &mut services.environment;
    let now = environment.now;
    let (event_id, request_id) = (environment.uuid(), environment.uuid());
    let kind = match caller.role {
        Some(_) => "AssumedRole",
        None => "Root",
    };
    let event = json!({
        "source": format!("aws.{}", call.service),
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {"type": kind, "accountId": caller.account, "arn": caller.arn},
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "eventSource": format!("{}.amazonaws.com", call.service),
            "eventName": call.action,
            "awsRegion": caller.region,
            "sourceIPAddress": "192.0.2.1",
            "requestParameters": call.parameters,
            "responseElements": null,
            "requestID": request_id,
            "eventID": event_id,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": caller.account,
            "eventCategory": "Management",
        },
    });
    let late = if environment.surprises(Surprise::RecordsAreLate) {
        LATE
    } else {
        0
    };
    let delay = late + environment.between(*DELAY.start(), *DELAY.end());
    let emit = Task::Emit {
        account: caller.account.clone(),
        region: caller.region.clone(),
        event: event.to_string(),
    };
    environment.schedule(delay, emit);
}
