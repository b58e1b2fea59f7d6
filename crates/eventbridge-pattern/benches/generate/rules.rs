//! Generated patterns.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::words::{ACCOUNTS, ERRORS, PARTS, REGIONS, ROLES, SERVICES, USERS};
use super::{percent, pick, some};

/// Patterns of event rules. Detections name a service and usually its calls; broad patterns often
/// leave out one of them.
pub(crate) fn patterns(seed: u64, count: usize, is_broad: bool) -> Vec<Value> {
    let mut random = Rng::with_seed(seed ^ if is_broad { 0xB0AD } else { 0xDE7 });
    (0..count).map(|_| pattern(&mut random, is_broad)).collect()
}

fn pattern(random: &mut Rng, is_broad: bool) -> Value {
    let service = random.usize(..SERVICES.len());
    let (service, calls) = SERVICES.get(service).copied().unwrap_or(("s3", &[]));
    let mut root = Map::new();
    let mut detail = Map::new();
    let names_source = percent(random, if is_broad { 65 } else { 85 });
    if names_source {
        root.insert("source".to_owned(), json!([format!("aws.{service}")]));
    }
    let detail_type = if service == "signin" {
        "AWS Console Sign In via CloudTrail"
    } else {
        "AWS API Call via CloudTrail"
    };
    root.insert("detail-type".to_owned(), json!([detail_type]));
    if percent(random, 60) || !is_broad && !names_source {
        let source = json!([format!("{service}.amazonaws.com")]);
        detail.insert("eventSource".to_owned(), source);
    }
    detail.insert("eventName".to_owned(), name(random, calls, is_broad));
    let mut maybe = |random: &mut Rng, chance: usize, field: &str, value: fn(&mut Rng) -> Value| {
        if percent(random, chance) {
            detail.insert(field.to_owned(), value(random));
        }
    };
    maybe(random, 40, "userIdentity", identity);
    maybe(random, 15, "sourceIPAddress", address);
    maybe(random, 15, "errorCode", |random| match random.usize(..3) {
        0 => json!([{"exists": false}]),
        1 => json!([pick(random, &ERRORS)]),
        _ => json!([{"wildcard": "*Unauthorized*"}]),
    });
    maybe(random, 12, "readOnly", |_| json!([false]));
    maybe(
        random,
        10,
        "awsRegion",
        |random| json!([{"anything-but": some(random, &REGIONS, 2)}]),
    );
    maybe(random, 8, "recipientAccountId", |random| {
        json!(some(random, &ACCOUNTS, 3))
    });
    maybe(random, 5, "$or", |random| {
        json!([
            {"responseElements": {"ConsoleLogin": ["Failure"]}},
            {"additionalEventData": {"MFAUsed": ["No"]}},
            {"userAgent": [{"wildcard": pick(random, &["*Boto3*", "*curl*", "*Terraform*"])}]},
        ])
    });
    if service == "ec2" && percent(random, 30) {
        detail.insert(
            "requestParameters".to_owned(),
            json!({"ipPermissions": {"items": {"fromPort": [{"numeric": ["<=", 22]}], "ipRanges": {"items": {"cidrIp": ["0.0.0.0/0"]}}}}}),
        );
    }
    root.insert("detail".to_owned(), Value::Object(detail));
    Value::Object(root)
}

fn name(random: &mut Rng, calls: &[&str], is_broad: bool) -> Value {
    let call = pick(random, calls);
    let part = pick(random, &PARTS);
    match random.usize(..if is_broad { 12 } else { 10 }) {
        0..=4 => json!(some(random, calls, 4)),
        5 | 6 => {
            let length = 3 + random.usize(..5);
            json!([{"prefix": call.chars().take(length).collect::<String>()}])
        }
        7 => json!([{"wildcard": format!("*{part}*")}]),
        8 => json!([{"wildcard": format!("{part}*")}]),
        9 => json!([{"suffix": part}]),
        10 => json!([{"anything-but": some(random, calls, 3)}]),
        _ => json!([{"anything-but": {"prefix": ["Get", "List", "Describe"]}}]),
    }
}

fn identity(random: &mut Rng) -> Value {
    match random.usize(..5) {
        0 => json!({"type": ["Root"]}),
        1 => json!({"type": some(random, &["Root", "IAMUser", "AssumedRole"], 2)}),
        2 => {
            json!({"arn": [{"wildcard": format!("arn:aws:iam::*:user/{}", pick(random, &USERS))}]})
        }
        3 => {
            json!({"arn": [{"anything-but": {"wildcard": format!("arn:aws:sts::*:assumed-role/{}/*", pick(random, &ROLES))}}]})
        }
        _ => json!({"sessionContext": {"attributes": {"mfaAuthenticated": ["false"]}}}),
    }
}

fn address(random: &mut Rng) -> Value {
    match random.usize(..4) {
        0 => json!([{"anything-but": {"prefix": ["10.", "192.168."]}}]),
        1 => json!([{"anything-but": {"suffix": ".amazonaws.com"}}]),
        2 => json!([{"cidr": format!("10.{}.0.0/16", random.usize(..256))}]),
        _ => json!([{"cidr": format!("2001:db8:{:x}00::/40", random.usize(..256))}]),
    }
}
