//! Generated events.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::words::{ACCOUNTS, AGENTS, ALPHANUMERIC, ERRORS, REGIONS, ROLES, SERVICES, USERS};
use super::{percent, pick, text, uuid};

/// CloudTrail events in their envelope, as compact JSON.
pub(crate) fn events(seed: u64, count: usize) -> Vec<String> {
    let mut random = Rng::with_seed(seed ^ 0xE7E7);
    (0..count).map(|_| event(&mut random).to_string()).collect()
}

fn event(random: &mut Rng) -> Value {
    let service = random.usize(..SERVICES.len());
    let (service, calls) = SERVICES.get(service).copied().unwrap_or(("s3", &[]));
    let call = pick(random, calls);
    let account = pick(random, &ACCOUNTS);
    let region = pick(random, &REGIONS);
    let time = format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        1 + random.usize(..12),
        1 + random.usize(..28),
        random.usize(..24),
        random.usize(..60),
        random.usize(..60)
    );
    let detail_type = if service == "signin" {
        "AWS Console Sign In via CloudTrail"
    } else {
        "AWS API Call via CloudTrail"
    };
    let mut detail = Map::new();
    let mut put = |name: &str, value: Value| detail.insert(name.to_owned(), value);
    put("eventVersion", json!("1.09"));
    put("userIdentity", identity(random, account, &time));
    put("eventTime", json!(time));
    put("eventSource", json!(format!("{service}.amazonaws.com")));
    put("eventName", json!(call));
    put("awsRegion", json!(region));
    put("sourceIPAddress", json!(address(random, service)));
    put("userAgent", json!(pick(random, &AGENTS)));
    if percent(random, 12) {
        let error = pick(random, &ERRORS);
        put("errorCode", json!(error));
        put(
            "errorMessage",
            json!(format!(
                "User is not authorized to perform: {service}:{call}"
            )),
        );
    }
    put("requestParameters", parameters(random, service, account));
    put("responseElements", response(random, service));
    put("requestID", json!(uuid(random)));
    put("eventID", json!(uuid(random)));
    put(
        "readOnly",
        json!(call.starts_with("Get") || call.starts_with("List") || call.starts_with("Describe")),
    );
    if percent(random, 30) {
        let resource = |random: &mut Rng| json!({"accountId": account, "type": "AWS::S3::Object", "ARN": format!("arn:aws:{service}:::{}", text(random, "abcdef0123456789", 20))});
        let resources = [resource(random), resource(random)];
        put("resources", json!(resources));
    }
    put(
        "eventType",
        json!(if service == "signin" {
            "AwsConsoleSignIn"
        } else {
            "AwsApiCall"
        }),
    );
    put("managementEvent", json!(true));
    put("recipientAccountId", json!(account));
    put("eventCategory", json!("Management"));
    if service == "signin" {
        let used = pick(random, &["Yes", "No"]);
        put(
            "additionalEventData",
            json!({"MFAUsed": used, "LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No"}),
        );
    } else if percent(random, 70) {
        put(
            "tlsDetails",
            json!({"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": format!("{service}.{region}.amazonaws.com")}),
        );
    }
    json!({
        "version": "0", "id": uuid(random), "detail-type": detail_type, "source": format!("aws.{service}"),
        "account": account, "time": time, "region": region, "resources": [], "detail": detail,
    })
}

fn identity(random: &mut Rng, account: &str, time: &str) -> Value {
    let user = pick(random, &USERS);
    let key = text(random, ALPHANUMERIC, 16);
    match random.usize(..20) {
        0 => {
            json!({"type": "Root", "principalId": account, "arn": format!("arn:aws:iam::{account}:root"), "accountId": account, "accessKeyId": ""})
        }
        1..=5 => {
            json!({"type": "IAMUser", "principalId": format!("AIDA{key}"), "arn": format!("arn:aws:iam::{account}:user/{user}"), "accountId": account, "accessKeyId": format!("AKIA{key}"), "userName": user})
        }
        6 => json!({"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"}),
        _ => {
            let role = pick(random, &ROLES);
            let mfa = pick(random, &["true", "false"]);
            json!({
                "type": "AssumedRole", "principalId": format!("AROA{key}:{user}"),
                "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{user}"), "accountId": account,
                "accessKeyId": format!("ASIA{key}"),
                "sessionContext": {
                    "sessionIssuer": {"type": "Role", "principalId": format!("AROA{key}"), "arn": format!("arn:aws:iam::{account}:role/{role}"), "accountId": account, "userName": role},
                    "webIdFederationData": {},
                    "attributes": {"creationDate": time, "mfaAuthenticated": mfa},
                },
            })
        }
    }
}

fn address(random: &mut Rng, service: &str) -> String {
    match random.usize(..10) {
        0..=3 => format!(
            "10.{}.{}.{}",
            random.usize(..256),
            random.usize(..256),
            random.usize(..256)
        ),
        4 => format!("{service}.amazonaws.com"),
        5 => format!(
            "2001:db8:{:x}::{:x}",
            random.usize(..65536),
            random.usize(..65536)
        ),
        _ => format!(
            "{}.{}",
            pick(random, &["192.0.2", "198.51.100", "203.0.113"]),
            random.usize(..256)
        ),
    }
}

fn parameters(random: &mut Rng, service: &str, account: &str) -> Value {
    let user = pick(random, &USERS);
    match service {
        "iam" => json!({
            "userName": user, "roleName": pick(random, &ROLES), "policyArn": pick(random, &["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"]),
            "policyDocument": "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": [\"s3:Get*\", \"s3:List*\"], \"Resource\": \"*\"}]}",
        }),
        "s3" => {
            json!({"bucketName": format!("{user}-data"), "key": format!("{}/{}.csv", text(random, "abcdef", 6), uuid(random)), "Host": "s3.amazonaws.com"})
        }
        "ec2" => {
            let permission = |random: &mut Rng| {
                let port = [22, 80, 443, 3389]
                    .get(random.usize(..4))
                    .copied()
                    .unwrap_or(22);
                json!({"ipProtocol": "tcp", "fromPort": port, "toPort": port, "groups": {}, "ipRanges": {"items": [{"cidrIp": pick(random, &["0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24"])}]}, "prefixListIds": {}})
            };
            let items: Vec<Value> = (0..=random.usize(..3))
                .map(|_| permission(random))
                .collect();
            json!({"groupId": format!("sg-{}", text(random, "0123456789abcdef", 17)), "ipPermissions": {"items": items}})
        }
        "sts" => {
            json!({"roleArn": format!("arn:aws:iam::{account}:role/{}", pick(random, &ROLES)), "roleSessionName": user, "durationSeconds": 3600})
        }
        "signin" => Value::Null,
        _ => {
            json!({"name": format!("{user}-{}", text(random, "0123456789", 4)), "maxResults": random.usize(..1000), "dryRun": percent(random, 10)})
        }
    }
}

fn response(random: &mut Rng, service: &str) -> Value {
    match service {
        "iam" => {
            json!({"accessKey": {"accessKeyId": format!("AKIA{}", text(random, ALPHANUMERIC, 16)), "status": "Active", "userName": pick(random, &USERS), "createDate": "Jan 2, 2026 3:04:05 AM"}})
        }
        "signin" => json!({"ConsoleLogin": pick(random, &["Success", "Success", "Failure"])}),
        _ => Value::Null,
    }
}
