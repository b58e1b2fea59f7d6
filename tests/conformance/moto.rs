//! moto deploys every compiled template as an ordinary stack in the accounts and Regions it
//! targets, and its EventBridge accepts every rule.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::{aws, project};

/// A moto server on a free port, stopped on drop.
struct Moto {
    endpoint: String,
    server: Child,
}

impl Moto {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut command: Command = tests::python_program("moto_server");
        let server = command
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let mut moto = Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            server,
        };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = moto.server.try_wait().expect("a status");
            assert!(ended.is_none(), "moto ended before it answered: {ended:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        moto
    }

    /// Environment for a client in an account. moto takes the account from an assumed role.
    fn environment(&self, account: &str, region: &str) -> Vec<(String, String)> {
        let root = self.variables("testing", "testing", "", region);
        let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
        let answer = aws(
            &borrowed(&root),
            &[
                "sts",
                "assume-role",
                "--role-arn",
                &role,
                "--role-session-name",
                "conformance",
            ],
        );
        let text = |key: &str| {
            answer["Credentials"][key]
                .as_str()
                .expect("credentials")
                .to_owned()
        };
        self.variables(
            &text("AccessKeyId"),
            &text("SecretAccessKey"),
            &text("SessionToken"),
            region,
        )
    }

    fn variables(
        &self,
        key: &str,
        secret: &str,
        token: &str,
        region: &str,
    ) -> Vec<(String, String)> {
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_DEFAULT_REGION", region),
        ];
        if !token.is_empty() {
            variables.push(("AWS_SESSION_TOKEN", token));
        }
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        if self.server.kill().is_ok() {
            drop(self.server.wait());
        }
    }
}

fn borrowed(variables: &[(String, String)]) -> Vec<(&str, &str)> {
    variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
#[ignore = "needs moto; `cargo xtask ci --second-opinions` runs it"]
fn moto_deploys_every_template_of_the_hub_topology() {
    deploy_on_moto("hub");
}

#[test]
#[ignore = "needs moto; `cargo xtask ci --second-opinions` runs it"]
fn moto_deploys_every_template_of_the_local_topology() {
    deploy_on_moto("local");
}

fn deploy_on_moto(topology: &str) {
    let project = project();
    let folder = project.path("compiled");
    let out = folder.to_string_lossy().into_owned();
    let bundle = project
        .run(&[
            "compile",
            "--topology",
            topology,
            "--out",
            &out,
            "--format",
            "json",
        ])
        .expect(0)
        .json();
    let moto = Moto::start();
    let mut patterns = 0;
    for set in bundle["stack_sets"].as_array().expect("stack sets") {
        let name = set["name"].as_str().expect("a name");
        let locations = locations(&bundle, set);
        assert!(!locations.is_empty(), "{name} targets no location");
        for (account, region) in locations {
            let environment = moto.environment(&account, &region);
            let template = folder.join(format!("{name}.template.json"));
            create_stack(&borrowed(&environment), set, &template, name);
            patterns += accepted_rules(&borrowed(&environment), &template);
        }
    }
    assert!(patterns > 0, "no rule reached moto's EventBridge");
}

/// The accounts and Regions that a stack set targets, with one member account of each kind, because
/// moto treats all of them alike.
fn locations(bundle: &Value, set: &Value) -> Vec<(String, String)> {
    let organization = &bundle["organization"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .map(|items| items.iter().map(text).collect())
            .unwrap_or_default()
    };
    let mut locations = Vec::new();
    let targets = &set["targets"];
    for region in list(&targets["management_regions"]) {
        locations.push((text(&organization["accounts"]["management"]), region));
    }
    let members = &targets["members"];
    if !members.is_null() {
        // Either `{"only": [ids]}` or a filter that workload accounts pass.
        let only = members["accounts"]
            .as_object()
            .and_then(|filter| {
                filter
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case("only"))
            })
            .map(|(_, accounts)| list(accounts));
        for account in only.unwrap_or_else(|| vec!["012345678901".to_owned()]) {
            for region in list(&members["regions"]) {
                locations.push((account.clone(), region));
            }
        }
    }
    locations
}

#[track_caller]
fn create_stack(environment: &[(&str, &str)], set: &Value, template: &Path, name: &str) {
    let body = format!("file://{}", template.display());
    let mut arguments = vec![
        "cloudformation".to_owned(),
        "create-stack".to_owned(),
        "--stack-name".to_owned(),
        name.to_owned(),
        "--template-body".to_owned(),
        body,
    ];
    let capabilities = set["capabilities"].as_array().cloned().unwrap_or_default();
    if !capabilities.is_empty() {
        arguments.push("--capabilities".to_owned());
        arguments.extend(
            capabilities
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
    }
    let parameters = set["parameters"].as_object().cloned().unwrap_or_default();
    if !parameters.is_empty() {
        arguments.push("--parameters".to_owned());
        for (key, value) in &parameters {
            let parameter = serde_json::json!([{ "ParameterKey": key, "ParameterValue": value }]);
            arguments.push(parameter[0].to_string());
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    aws(environment, &arguments);
    let described = aws(
        environment,
        &["cloudformation", "describe-stacks", "--stack-name", name],
    );
    assert_eq!(
        described["Stacks"][0]["StackStatus"], "CREATE_COMPLETE",
        "{described:#}"
    );
}

/// Compares a template's rules with those in moto's EventBridge, pattern by pattern.
#[track_caller]
fn accepted_rules(environment: &[(&str, &str)], template: &Path) -> usize {
    let template = std::fs::read_to_string(template).expect("a template");
    let template: Value = serde_json::from_str(&template).expect("JSON");
    let resources = template["Resources"].as_object().expect("resources");
    let mut count = 0;
    for bus in ["default", "gizmos"] {
        let wanted: Vec<&Value> = resources
            .values()
            .filter(|it| it["Type"] == "AWS::Events::Rule")
            .map(|it| &it["Properties"])
            .filter(|it| (bus == "default") == it["EventBusName"].is_null())
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let listed = aws(
            environment,
            &["events", "list-rules", "--event-bus-name", bus],
        );
        let accepted: Vec<Value> = listed["Rules"]
            .as_array()
            .expect("rules")
            .iter()
            .filter_map(|it| it["EventPattern"].as_str())
            .filter_map(|pattern| serde_json::from_str(pattern).ok())
            .collect();
        for rule in &wanted {
            assert!(
                accepted.contains(&rule["EventPattern"]),
                "moto has no rule with {}",
                rule["EventPattern"]
            );
        }
        count += wanted.len();
    }
    count
}
