//! A client of servers that know their callers without signatures.

use serde_json::Value;

/// A client of the simulator or of an emulator. A caller is an access key; for most servers an
/// account's id stands for its administrator.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: String,
}

impl Client {
    /// A client of the server at `http://127.0.0.1:PORT`.
    pub fn new(endpoint: String) -> Self {
        Self { endpoint }
    }

    /// Calls an AWS JSON API.
    #[track_caller]
    pub fn call(&self, caller: &str, region: &str, target: &str, input: &Value) -> Value {
        let text = succeeded(&self.send_json(caller, region, target, input), target);
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The error with which an AWS JSON API refuses a call.
    #[track_caller]
    pub fn refusal(&self, caller: &str, region: &str, target: &str, input: &Value) -> String {
        refused(&self.send_json(caller, region, target, input), target)
    }

    fn send_json(&self, caller: &str, region: &str, target: &str, input: &Value) -> Answer {
        let service = match target.split('.').next().unwrap_or(target) {
            "AWSEvents" => "events",
            name if name.contains("CloudTrail") => "cloudtrail",
            name if name.starts_with("AWSOrganizations") => "organizations",
            "AmazonSQS" => "sqs",
            "TrentService" => "kms",
            other => panic!("no service for {other}"),
        };
        let answer = ureq::post(&self.endpoint)
            .config()
            .http_status_as_error(false)
            .build()
            .header("Authorization", authorization(caller, region, service))
            .header("X-Amz-Target", target)
            .content_type("application/x-amz-json-1.1")
            .send(input.to_string());
        Answer::of(answer, target)
    }

    /// Calls an AWS query API, which takes a form and returns XML.
    #[track_caller]
    pub fn query(
        &self,
        caller: &str,
        region: &str,
        service: &str,
        form: &[(&str, &str)],
    ) -> String {
        let answer = self.send_form(caller, region, service, form);
        succeeded(&answer, &format!("{service} {form:?}"))
    }

    /// The error with which an AWS query API refuses a call.
    #[track_caller]
    pub fn query_refusal(
        &self,
        caller: &str,
        region: &str,
        service: &str,
        form: &[(&str, &str)],
    ) -> String {
        let answer = self.send_form(caller, region, service, form);
        refused(&answer, &format!("{service} {form:?}"))
    }

    fn send_form(
        &self,
        caller: &str,
        region: &str,
        service: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let answer = ureq::post(&self.endpoint)
            .config()
            .http_status_as_error(false)
            .build()
            .header("Authorization", authorization(caller, region, service))
            .send_form(form.iter().copied());
        Answer::of(answer, service)
    }
}

/// An answer of any status.
struct Answer {
    status: ureq::http::StatusCode,
    text: String,
}

impl Answer {
    fn of(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>, what: &str) -> Self {
        let mut answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        Self {
            text: answer.body_mut().read_to_string().expect("a text"),
            status: answer.status(),
        }
    }
}

/// The body of an answer, which must be a success.
#[track_caller]
fn succeeded(answer: &Answer, what: &str) -> String {
    let Answer { status, text } = answer;
    assert!(status.is_success(), "{what}: {status}: {text}");
    text.clone()
}

/// The body of an answer, which must be an error of the caller.
#[track_caller]
fn refused(answer: &Answer, what: &str) -> String {
    let Answer { status, text } = answer;
    assert!(status.is_client_error(), "{what}: {status}: {text}");
    text.clone()
}

/// An `Authorization` header. The simulator reads the caller from it and checks no signature.
pub fn authorization(account: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={account}/20261123/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}
