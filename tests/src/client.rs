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
        let text = succeeded(answer, target);
        serde_json::from_str(&text).unwrap_or(Value::Null)
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
        let answer = ureq::post(&self.endpoint)
            .config()
            .http_status_as_error(false)
            .build()
            .header("Authorization", authorization(caller, region, service))
            .send_form(form.iter().copied());
        succeeded(answer, &format!("{service} {form:?}"))
    }
}

/// The body of an answer, which must be a success.
#[track_caller]
fn succeeded(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>, what: &str) -> String {
    let mut answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    let text = answer.body_mut().read_to_string().expect("a text");
    let status = answer.status();
    assert!(status.is_success(), "{what}: {status}: {text}");
    text
}

/// An `Authorization` header. The simulator reads the caller from it and checks no signature.
pub fn authorization(account: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={account}/20261123/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}
