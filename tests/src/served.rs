//! An organization shared by several commands and clients.

use serde_json::{Map, Value, json};
use simulator::{Checkpoint, Config, LiveResource, Simulator, StackOf};

use crate::{ACCESS_ROLE, Client, HOME, MANAGEMENT};

/// An organization served on a free port until it is dropped. Its clock advances only when a
/// command waits.
#[derive(Debug)]
pub struct Served {
    endpoint: String,
    simulator: Option<Simulator>,
    runtime: tokio::runtime::Runtime,
}

impl Served {
    /// Serves the seeded organization.
    pub fn start() -> Self {
        Self::start_with(Config::default())
    }

    /// Serves an organization.
    pub fn start_with(config: Config) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let simulator = runtime
            .block_on(Simulator::start(config))
            .expect("the simulator starts");
        Self {
            endpoint: simulator.endpoint(),
            simulator: Some(simulator),
            runtime,
        }
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// `--simulator=http://127.0.0.1:PORT`
    pub fn argument(&self) -> String {
        format!("--simulator={}", self.endpoint)
    }

    /// `argument` for another caller than the management account: an account or an access key.
    pub fn argument_as(&self, caller: &str) -> String {
        let (scheme, host) = self.endpoint.split_once("://").expect("an address");
        format!("--simulator={scheme}://{caller}@{host}")
    }

    /// Calls a read action of the simulator's own API.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let mut answer = ureq::get(format!("{}/_simulator/{path}", self.endpoint))
            .call()
            .expect("an answer");
        answer.body_mut().read_json().expect("JSON")
    }

    /// Calls a mutating action of the simulator's own API.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let mut answer = ureq::post(format!("{}/_simulator/{path}", self.endpoint))
            .send_json(body)
            .expect("an answer");
        answer.body_mut().read_json().expect("JSON")
    }

    /// Returns once an action such as `cloudformation:CreateStackInstances` has been called.
    pub fn wait_for_call(&self, action: &str) {
        let called = || {
            let calls = self.get("calls");
            calls
                .get("by_action")
                .and_then(|all| all.get(action))
                .is_some()
        };
        while !called() {
            // Yields the processor to the program that will make the call.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Lets virtual time pass.
    pub fn advance(&self, seconds: u64) {
        self.post("clock/advance", &json!({ "seconds": seconds }));
    }

    /// Calls an AWS JSON API as an account's administrator, like any client would.
    #[track_caller]
    pub fn call(&self, account: &str, region: &str, target: &str, input: &Value) -> Value {
        self.client().call(account, region, target, input)
    }

    /// Performs an action as an account's administrator, without the wire protocol.
    #[track_caller]
    pub fn act(
        &self,
        account: &str,
        region: &str,
        service: &str,
        action: &str,
        input: &Value,
    ) -> Value {
        self.simulator()
            .act(account, region, service, action, input)
            .unwrap_or_else(|error| panic!("{service}:{action} {input}: {error}"))
    }

    fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().expect("a running simulator")
    }

    /// Remembers everything, for [`Served::rewind`].
    pub fn checkpoint(&self) -> Checkpoint {
        self.simulator().checkpoint()
    }

    /// Makes everything as it was at the checkpoint.
    pub fn rewind(&self, checkpoint: &Checkpoint) {
        self.simulator().rewind(checkpoint);
    }

    /// The resources of a stack, with the properties that their handlers got.
    #[track_caller]
    pub fn resources(&self, stack: &StackOf) -> Vec<LiveResource> {
        let resources = self.simulator().resources(stack);
        resources.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Changes properties of a resource outside of CloudFormation, or deletes it. The error says why
    /// AWS wouldn't do that.
    pub fn tamper(
        &self,
        stack: &StackOf,
        logical_id: &str,
        properties: Option<&Map<String, Value>>,
    ) -> Result<(), String> {
        self.simulator().tamper(stack, logical_id, properties)
    }

    /// Makes an account a delegated administrator of StackSets.
    #[track_caller]
    pub fn delegate_stack_sets(&self, account: &str) {
        self.call(
            MANAGEMENT,
            "us-east-1",
            "AWSOrganizationsV20161128.RegisterDelegatedAdministrator",
            &json!({
                "AccountId": account,
                "ServicePrincipal": "member.org.stacksets.cloudformation.amazonaws.com",
            }),
        );
    }

    /// Creates [`ACCESS_ROLE`] in every account; `account` may assume it.
    #[track_caller]
    pub fn create_access_role(&self, account: &str) {
        let role = json!({"Resources": {"Access": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": ACCESS_ROLE,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
                "Action": "sts:AssumeRole"}]},
            "Policies": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "*", "Resource": "*"}]}}]}}}});
        let form = [
            ("Action", "CreateStack"),
            ("StackName", "access"),
            ("TemplateBody", &role.to_string()),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        let state = self.get("state");
        let accounts = state.get("accounts").and_then(Value::as_array);
        for account in accounts.into_iter().flatten() {
            let id = account.get("id").and_then(Value::as_str).expect("an id");
            self.query(id, HOME, "cloudformation", &form);
        }
        // CloudFormation needs a moment.
        self.advance(120);
    }

    /// Calls an AWS query API, which takes a form and returns XML.
    #[track_caller]
    pub fn query(
        &self,
        account: &str,
        region: &str,
        service: &str,
        form: &[(&str, &str)],
    ) -> String {
        self.client().query(account, region, service, form)
    }

    /// A client of the organization, for any caller.
    pub fn client(&self) -> Client {
        Client::new(self.endpoint.clone())
    }

    /// Environment for any AWS client that acts as this account's administrator.
    pub fn environment<'a>(&'a self, account: &'a str, region: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", account),
            ("AWS_SECRET_ACCESS_KEY", "simulator"),
            ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region),
        ]
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(simulator) = self.simulator.take() {
            self.runtime.block_on(simulator.stop());
        }
    }
}
