//! Rule sets.

use serde_json::{Map, Value, json};

use super::random::Random;
use super::words::{ACCOUNTS, ERRORS, PARTS, REGIONS, ROLES, SERVICES, USERS};

/// So many patterns as lines `{"id", "pattern"}`. Detections name a service and mostly its calls;
/// broad ones often leave out one of them.
pub(crate) fn patterns(seed: u64, count: usize, is_broad: bool) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed ^ if is_broad { 0xB0AD } else { 0xDE7 });
    (0..count)
        .map(|number| {
            let pattern = pattern(&mut random, is_broad);
            json!({"id": format!("rule-{number:04}"), "pattern": pattern})
                .to_string()
                .into_bytes()
        })
        .collect()
}

fn pattern(random: &mut Random, is_broad: bool) -> Value {
    let service = random.below(SERVICES.len());
    let (service, calls) = SERVICES.get(service).copied().unwrap_or(("s3", &[]));
    let mut root = Map::new();
    let mut detail = Map::new();
    let names_source = random.percent(if is_broad { 65 } else { 85 });
    if names_source {
        root.insert("source".to_owned(), json!([format!("aws.{service}")]));
    }
    let detail_type = if service == "signin" {
        "AWS Console Sign In via CloudTrail"
    } else {
        "AWS API Call via CloudTrail"
    };
    root.insert("detail-type".to_owned(), json!([detail_type]));
    if random.percent(60) || !is_broad && !names_source {
        let source = json!([format!("{service}.amazonaws.com")]);
        detail.insert("eventSource".to_owned(), source);
    }
    detail.insert("eventName".to_owned(), name(random, calls, is_broad));
    let mut chance =
        |random: &mut Random, percent: usize, field: &str, value: fn(&mut Random) -> Value| {
            if random.percent(percent) {
                detail.insert(field.to_owned(), value(random));
            }
        };
    chance(random, 40, "userIdentity", identity);
    chance(random, 15, "sourceIPAddress", address);
    chance(random, 15, "errorCode", |random| match random.below(3) {
        0 => json!([{"exists": false}]),
        1 => json!([random.pick(&ERRORS)]),
        _ => json!([{"wildcard": "*Unauthorized*"}]),
    });
    chance(random, 12, "readOnly", |_| json!([false]));
    chance(
        random,
        10,
        "awsRegion",
        |random| json!([{"anything-but": random.some(&REGIONS, 2)}]),
    );
    chance(random, 8, "recipientAccountId", |random| {
        json!(random.some(&ACCOUNTS, 3))
    });
    chance(random, 5, "$or", |random| {
        json!([
            {"responseElements": {"ConsoleLogin": ["Failure"]}},
            {"additionalEventData": {"MFAUsed": ["No"]}},
            {"userAgent": [{"wildcard": random.pick(&["*Boto3*", "*curl*", "*Terraform*"])}]},
        ])
    });
    if service == "ec2" && random.percent(30) {
        detail.insert(
            "requestParameters".to_owned(),
            json!({"ipPermissions": {"items": {"fromPort": [{"numeric": ["<=", 22]}], "ipRanges": {"items": {"cidrIp": ["0.0.0.0/0"]}}}}}),
        );
    }
    root.insert("detail".to_owned(), Value::Object(detail));
    Value::Object(root)
}

fn name(random: &mut Random, calls: &[&str], is_broad: bool) -> Value {
    let call = random.pick(calls);
    let part = random.pick(&PARTS);
    match random.below(if is_broad { 12 } else { 10 }) {
        0..=4 => json!(random.some(calls, 4)),
        5 | 6 => {
            let length = 3 + random.below(5);
            json!([{"prefix": call.chars().take(length).collect::<String>()}])
        }
        7 => json!([{"wildcard": format!("*{part}*")}]),
        8 => json!([{"wildcard": format!("{part}*")}]),
        9 => json!([{"suffix": part}]),
        10 => json!([{"anything-but": random.some(calls, 3)}]),
        _ => json!([{"anything-but": {"prefix": ["Get", "List", "Describe"]}}]),
    }
}

fn identity(random: &mut Random) -> Value {
    match random.below(5) {
        0 => json!({"type": ["Root"]}),
        1 => json!({"type": random.some(&["Root", "IAMUser", "AssumedRole"], 2)}),
        2 => json!({"arn": [{"wildcard": format!("arn:aws:iam::*:user/{}", random.pick(&USERS))}]}),
        3 => {
            json!({"arn": [{"anything-but": {"wildcard": format!("arn:aws:sts::*:assumed-role/{}/*", random.pick(&ROLES))}}]})
        }
        _ => json!({"sessionContext": {"attributes": {"mfaAuthenticated": ["false"]}}}),
    }
}

fn address(random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!([{"anything-but": {"prefix": ["10.", "192.168."]}}]),
        1 => json!([{"anything-but": {"suffix": ".amazonaws.com"}}]),
        2 => json!([{"cidr": format!("10.{}.0.0/16", random.below(256))}]),
        _ => json!([{"cidr": format!("2001:db8:{:x}00::/40", random.below(256))}]),
    }
}
