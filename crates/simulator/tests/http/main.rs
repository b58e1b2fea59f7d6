//! The simulator over HTTP, with requests as AWS clients make them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod scale;

use serde_json::{Value, json};
use simulator::{Config, Simulator};

/// A response of any status.
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A running simulator and a client for it.
struct Lab {
    simulator: Simulator,
    agent: ureq::Agent,
}

impl Lab {
    async fn start() -> Lab {
        Lab::with(Config::default()).await
    }

    async fn with(config: Config) -> Lab {
        let simulator = Simulator::start(config).await.unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        Lab { simulator, agent }
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(path, headers, body).unwrap()
    }

    /// Sends a request; an error if no response arrives.
    fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, ureq::Error> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.simulator.endpoint()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body)?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: response.body_mut().read_to_string()?,
        })
    }

    fn get(&self, path: &str) -> Value {
        let mut response = self
            .agent
            .get(format!("{}{path}", self.simulator.endpoint()))
            .call()
            .unwrap();
        serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
    }

    fn query(&self, key: &str, service: &str, form: &str) -> Answer {
        self.try_query(key, service, form).unwrap()
    }

    fn try_query(&self, key: &str, service: &str, form: &str) -> Result<Answer, ureq::Error> {
        let authorization = signature(key, service);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send("/", &headers, form)
    }

    fn json(&self, key: &str, service: &str, target: &str, body: &Value) -> Answer {
        let authorization = signature(key, service);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        self.post("/", &headers, &body.to_string())
    }
}

fn signature(key: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261123/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

const IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[tokio::test(flavor = "multi_thread")]
async fn access_key_id_determines_the_caller() {
    let lab = Lab::start().await;
    for (key, account) in [
        ("012345678901", "012345678901"),
        ("AKIDEXAMPLE", "111122223333"),
        ("222233334444", "222233334444"),
    ] {
        let answer = lab.query(key, "sts", IDENTITY);
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .body
                .contains(&format!("<Account>{account}</Account>")),
            "{}",
            answer.body
        );
    }
    // This account isn't in the organization.
    assert_eq!(lab.query("999999999999", "sts", IDENTITY).status, 403);
    let unsigned = lab.post("/", &[], IDENTITY);
    assert_eq!(unsigned.status, 403);
    assert!(unsigned.body.contains("MissingAuthenticationToken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assumed_role_is_another_caller() {
    let lab = Lab::start().await;
    let assume = |key: &str, account: &str| {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=deploy&RoleArn=arn%3Aaws%3Aiam%3A%3A{account}%3Arole%2FOrganizationAccountAccessRole"
        );
        lab.query(key, "sts", &form)
    };
    let answer = assume("111122223333", "100000000002");
    let (_, rest) = answer.body.split_once("<AccessKeyId>").unwrap();
    let (key, _) = rest.split_once('<').unwrap();
    let identity = lab.query(key, "sts", IDENTITY).body;
    let arn = "arn:aws:sts::100000000002:assumed-role/OrganizationAccountAccessRole/deploy";
    assert!(
        identity.contains(&format!("<Arn>{arn}</Arn>")),
        "{identity}"
    );
    // The role trusts only the management account, which has no such role itself.
    assert!(
        assume("333344445555", "100000000002")
            .body
            .contains("AccessDenied")
    );
    assert!(
        assume("111122223333", "111122223333")
            .body
            .contains("AccessDenied")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_policy_limits_an_assumed_role() {
    let lab = Lab::start().await;
    let assume = |policy: &str| {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=read&Policy={policy}&RoleArn=arn%3Aaws%3Aiam%3A%3A100000000002%3Arole%2FOrganizationAccountAccessRole"
        );
        lab.query("111122223333", "sts", &form)
    };
    let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22events%3AList*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D";
    let answer = assume(encoded);
    let (_, rest) = answer.body.split_once("<AccessKeyId>").unwrap();
    let (key, _) = rest.split_once('<').unwrap();
    let call = |action: &str, input: Value| {
        lab.json(key, "events", &format!("AWSEvents.{action}"), &input)
    };
    assert_eq!(call("ListRules", json!({})).status, 200);
    // The role is an administrator; the session isn't.
    let entries = json!({"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]});
    for (action, input) in [
        ("DeleteRule", json!({"Name": "gizmos"})),
        ("PutEvents", entries),
    ] {
        let refused = call(action, input).body;
        let why = format!("because no session policy allows the events:{action} action");
        assert!(refused.contains(&why), "{refused}");
    }
    let listed = lab.get("/_simulator/sessions");
    assert_eq!(listed[0]["access_key_id"], key);
    let broken = assume("%7B%7D").body;
    assert!(broken.contains("MalformedPolicyDocument"), "{broken}");
    let long = assume(&"x".repeat(2_049)).body;
    assert!(long.contains("less than or equal to 2048"), "{long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_listed_in_pages_of_twenty() {
    let config = Config {
        workload_accounts: 50,
        ..Config::default()
    };
    let lab = Lab::with(config).await;
    let mut ids = Vec::new();
    let mut input = json!({});
    let mut pages = 0;
    loop {
        let answer = lab
            .json(
                "111122223333",
                "organizations",
                "AWSOrganizationsV20161128.ListAccounts",
                &input,
            )
            .json();
        pages += 1;
        for account in answer["Accounts"].as_array().unwrap() {
            assert_eq!(account["State"], "ACTIVE");
            let path = account["Paths"][0].as_str().unwrap();
            assert!(path.starts_with("o-exampleorg1/r-exmp/"), "{path}");
            ids.push(account["Id"].as_str().unwrap().to_owned());
        }
        match answer.get("NextToken") {
            Some(token) => input = json!({"NextToken": token}),
            None => break,
        }
    }
    assert_eq!((pages, ids.len()), (3, 53));
    ids.dedup();
    assert_eq!(ids.len(), 53);
    let denied = lab.json(
        "012345678901",
        "organizations",
        "AWSOrganizationsV20161128.ListAccounts",
        &json!({}),
    );
    assert_eq!(
        (denied.status, denied.json()["__type"].as_str().unwrap()),
        (400, "AccessDeniedException")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_actions_and_parameters_are_refused_over_http() {
    let lab = Lab::start().await;
    let action = lab.query(
        "111122223333",
        "cloudformation",
        "Action=Nonsense&Version=2010-05-15",
    );
    assert_eq!(action.status, 400);
    assert!(
        action.body.contains("<Code>InvalidAction</Code>"),
        "{}",
        action.body
    );
    let parameter = lab.query("111122223333", "sts", &format!("{IDENTITY}&Surprise=1"));
    assert!(parameter.body.contains("Surprise"), "{}", parameter.body);
    let target = lab.json(
        "111122223333",
        "organizations",
        "AWSOrganizationsV20161128.Nonsense",
        &json!({}),
    );
    assert_eq!(target.json()["__type"], "UnknownOperationException");
    let service = lab.json(
        "111122223333",
        "dynamodb",
        "DynamoDB_20120810.ListTables",
        &json!({}),
    );
    assert_eq!(service.status, 400);
    let region = lab.post(
        "/",
        &[(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKID/20261123/mars-1/cloudformation/aws4_request, SignedHeaders=host, Signature=0",
        )],
        "Action=DescribeStacks&Version=2010-05-15",
    );
    assert_eq!(region.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_complete_after_the_clock_advances() {
    let lab = Lab::start().await;
    let template = "Resources%3A+%7BQ%3A+%7BType%3A+%27AWS%3A%3ASQS%3A%3AQueue%27%7D%7D";
    let create = format!(
        "Action=CreateStack&Version=2010-05-15&StackName=a&TemplateBody={template}&Tags.member.1.Key=k&Tags.member.1.Value=v"
    );
    let answer = lab.query("111122223333", "cloudformation", &create);
    assert!(
        answer
            .body
            .contains("<StackId>arn:aws:cloudformation:eu-central-1:111122223333:stack/a/"),
        "{}",
        answer.body
    );
    let describe = "Action=DescribeStacks&Version=2010-05-15&StackName=a";
    let status = || lab.query("111122223333", "cloudformation", describe).body;
    assert!(status().contains("<StackStatus>CREATE_IN_PROGRESS</StackStatus>"));
    let before = lab.get("/_simulator/state")["now"].clone();
    let moved = lab
        .post("/_simulator/clock/advance", &[], r#"{"seconds": 30}"#)
        .json();
    assert_ne!(moved["now"], before);
    let now = status();
    assert!(
        now.contains("<StackStatus>CREATE_COMPLETE</StackStatus>"),
        "{now}"
    );
    assert!(
        now.contains("<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"),
        "{now}"
    );
    let calls = lab.get("/_simulator/calls");
    assert_eq!(
        (&calls["mutating"], &calls["reading"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(calls["by_action"]["cloudformation:DescribeStacks"], 2);
    lab.post("/_simulator/calls/reset", &[], "");
    assert_eq!(lab.get("/_simulator/calls")["by_action"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_refuses_invalid_requests() {
    let lab = Lab::start().await;
    for (path, body, status) in [
        ("clock/advance", r#"{"seconds": -1}"#, 400),
        ("clock/advance", r#"{"minutes": 1}"#, 400),
        (
            "accounts",
            r#"{"name": "x", "organizational_unit": "ou-exmp-nowhere1"}"#,
            400,
        ),
        (
            "accounts",
            r#"{"name": "x", "organizational_unit": "r-exmp", "id": "12"}"#,
            400,
        ),
        (
            "events",
            r#"{"account": "999999999999", "region": "eu-central-1", "event": {}}"#,
            400,
        ),
        ("nonsense", "{}", 404),
    ] {
        let answer = lab.post(&format!("/_simulator/{path}"), &[], body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        assert!(answer.json()["error"].is_string());
    }
    let account = lab.post(
        "/_simulator/accounts",
        &[],
        r#"{"name": "new", "organizational_unit": "ou-exmp-development"}"#,
    );
    assert_eq!(
        account.json(),
        json!({"id": "100000000010", "name": "new", "ou": "ou-exmp-development", "state": "ACTIVE"})
    );
    assert_eq!(
        lab.get("/_simulator/state")["accounts"]
            .as_array()
            .unwrap()
            .len(),
        13
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_runs_at_the_configured_speed() {
    let config = Config {
        speed: 100_000.0,
        ..Config::default()
    };
    let lab = Lab::with(config).await;
    let now = || {
        lab.get("/_simulator/state")["now"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = now();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(now() > first);
    lab.simulator.stop().await;
}

/// A template that can't fail.
const TOPIC: &str = r#"{"Resources":{"Topic":{"Type":"AWS::SNS::Topic","Properties":{}}}}"#;

fn create_stack_set(lab: &Lab, key: &str, name: &str) -> Answer {
    let body: String = form_urlencoded::byte_serialize(TOPIC.as_bytes()).collect();
    lab.query(
        key,
        "cloudformation",
        &format!(
            "Action=CreateStackSet&Version=2010-05-15&StackSetName={name}&TemplateBody={body}\
             &PermissionModel=SERVICE_MANAGED&AutoDeployment.Enabled=false"
        ),
    )
}

fn create_instances(lab: &Lab, id: &str) -> Answer {
    let form = format!(
        "Action=CreateStackInstances&Version=2010-05-15&StackSetName=example&OperationId={id}\
         &DeploymentTargets.OrganizationalUnitIds.member.1=ou-exmp-security\
         &Regions.member.1=eu-central-1"
    );
    lab.query("111122223333", "cloudformation", &form)
}

#[tokio::test(flavor = "multi_thread")]
async fn journal_content_hash_ignores_the_operation_id() {
    let lab = Lab::start().await;
    assert_eq!(
        create_stack_set(&lab, "111122223333", "example").status,
        200
    );
    let start = lab.simulator.journal_length();
    assert_eq!(create_instances(&lab, "first").status, 200);
    assert_eq!(create_instances(&lab, "second").status, 409);
    assert_eq!(lab.query("111122223333", "sts", IDENTITY).status, 200);

    let entries = lab.simulator.journal(start);
    let [first, second] = entries.as_slice() else {
        panic!("reading is not journaled: {entries:?}");
    };
    assert_eq!(first.action, "CreateStackInstances");
    assert_eq!(first.target.as_deref(), Some("example"));
    assert_eq!(first.operation.as_deref(), Some("first"));
    assert_eq!(first.error, None);
    assert_eq!(
        second.error.as_deref(),
        Some("OperationInProgressException")
    );
    assert_eq!(first.content, second.content);
    lab.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_snapshot_needs_no_request() {
    let lab = Lab::start().await;
    assert_eq!(
        create_stack_set(&lab, "111122223333", "example").status,
        200
    );
    assert_eq!(create_instances(&lab, "first").status, 200);
    let answered = lab.simulator.answered();
    let running = lab.simulator.fleet();
    let operation = ("example".to_owned(), "first".to_owned());
    assert_eq!(running.operations[&operation].status, "RUNNING");

    lab.simulator.advance(std::time::Duration::from_hours(1));
    let fleet = lab.simulator.fleet();
    let set = &fleet.stack_sets["example"];
    assert_eq!(fleet.operations[&operation].status, "SUCCEEDED");
    assert_eq!(set.instances.len(), 2);
    for instance in set.instances.values() {
        assert_eq!(instance.status, "CURRENT");
        let stack = &fleet.stacks[instance.stack.as_deref().unwrap()];
        assert_eq!(stack.status, "CREATE_COMPLETE");
        assert_eq!(stack.source.template(), TOPIC);
    }
    assert_eq!(lab.simulator.answered(), answered);
    lab.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lists_its_regions() {
    let lab = Lab::with(Config {
        regions: ["eu-central-1", "ap-east-1", "us-east-1"]
            .map(str::to_owned)
            .to_vec(),
        disabled_regions: vec!["ap-east-1".to_owned()],
        ..Config::default()
    })
    .await;
    let authorization = signature("111122223333", "account");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let list = |input: &Value| {
        lab.post("/listRegions", &headers, &input.to_string())
            .json()
    };
    let enabled = json!({"RegionOptStatusContains": ["ENABLED", "ENABLED_BY_DEFAULT"]});
    assert_eq!(
        list(&enabled)["Regions"],
        json!([
            {"RegionName": "eu-central-1", "RegionOptStatus": "ENABLED_BY_DEFAULT"},
            {"RegionName": "us-east-1", "RegionOptStatus": "ENABLED_BY_DEFAULT"},
        ])
    );
    assert_eq!(list(&json!({}))["Regions"].as_array().unwrap().len(), 3);
    lab.simulator
        .happen(&simulator::Event::SetRegion {
            region: "ap-east-1".to_owned(),
            enabled: true,
            account: None,
        })
        .unwrap();
    let regions = list(&enabled)["Regions"].clone();
    assert_eq!(
        regions[1],
        json!({"RegionName": "ap-east-1", "RegionOptStatus": "ENABLED"})
    );
    let describe = "Action=DescribeRegions&Version=2016-11-15";
    let answer = lab.query("111122223333", "ec2", describe).body;
    assert!(
        answer.contains("<optInStatus>opted-in</optInStatus>"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_template_comes_from_a_bucket() {
    let lab = Lab::start().await;
    let key = "111122223333";
    let bucket = "Resources%3A+%7BB%3A+%7BType%3A+%27AWS%3A%3AS3%3A%3ABucket%27%2C+Properties%3A+%7BBucketName%3A+example-templates%7D%7D%7D";
    let create = format!("Action=CreateStack&Version=2010-05-15&StackName=b&TemplateBody={bucket}");
    assert_eq!(lab.query(key, "cloudformation", &create).status, 200);
    lab.simulator.advance(std::time::Duration::from_mins(1));
    let put = |name: &str, padding: usize| {
        let template = format!(
            "Description: '{}'\nResources: {{Q: {{Type: 'AWS::SQS::Queue'}}}}",
            "x".repeat(1_000)
        ) + &" ".repeat(padding);
        let url = format!("{}/example-templates/{name}", lab.simulator.endpoint());
        let request = lab
            .agent
            .put(url)
            .header("authorization", signature(key, "s3"));
        assert_eq!(request.send(template).unwrap().status(), 200);
    };
    put("large.yaml", 60_000);
    put("huge.yaml", 1_000_000);
    let create = |set: &str, url: &str| {
        let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
        let form = format!(
            "Action=CreateStackSet&Version=2010-05-15&StackSetName={set}&TemplateURL={url}\
             &PermissionModel=SERVICE_MANAGED&AutoDeployment.Enabled=false"
        );
        lab.query(key, "cloudformation", &form)
    };
    let hosts = [
        "https://example-templates.s3.eu-central-1.amazonaws.com/large.yaml",
        "https://s3.eu-central-1.amazonaws.com/example-templates/large.yaml",
    ];
    for (set, url) in ["a", "b"].into_iter().zip(hosts) {
        let answer = create(set, url);
        assert_eq!(answer.status, 200, "{url}: {}", answer.body);
    }
    let huge = create(
        "c",
        "https://example-templates.s3.eu-central-1.amazonaws.com/huge.yaml",
    );
    assert!(huge.body.contains("may not exceed"), "{}", huge.body);
    let missing = create(
        "d",
        "https://example-templates.s3.eu-central-1.amazonaws.com/no.yaml",
    );
    assert!(
        missing.body.contains("key does not exist"),
        "{}",
        missing.body
    );
    let elsewhere = create(
        "e",
        "https://example-templates.s3.us-west-2.amazonaws.com/large.yaml",
    );
    assert!(
        elsewhere
            .body
            .contains("must be addressed using the specified endpoint")
    );
    let foreign = create("f", "https://example.com/large.yaml");
    assert!(foreign.body.contains("must be a supported URL"));
    // A caller that may not read the object can't deploy it.
    let url: String = form_urlencoded::byte_serialize(hosts[0].as_bytes()).collect();
    let form = format!("Action=ValidateTemplate&Version=2010-05-15&TemplateURL={url}");
    assert_eq!(lab.query(key, "cloudformation", &form).status, 200);
    let stranger = lab.query("222233334444", "cloudformation", &form);
    assert!(
        stranger.body.contains("S3 error: Access Denied"),
        "{}",
        stranger.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_web_pages_are_refused() {
    let lab = Lab::start().await;
    let status = |headers: &[(&str, &str)]| lab.post("/_simulator/state", headers, "").status;
    let own = status(&[]);
    assert_ne!(own, 403);
    for host in [
        "127.0.0.1",
        "localhost:4566",
        "[::1]:80",
        "bucket.s3.localhost",
    ] {
        assert_eq!(status(&[("host", host)]), own, "{host}");
    }
    for host in [
        "attacker.example.com",
        "127.0.0.1.example.com:80",
        "notlocalhost",
    ] {
        assert_eq!(status(&[("host", host)]), 403, "{host}");
    }
    assert_eq!(status(&[("origin", "https://attacker.example.com")]), 403);
    assert_eq!(status(&[("origin", "null")]), 403);
}
