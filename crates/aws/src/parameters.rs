//! Systems Manager: the call that `verify --cloudtrail` makes.

use deployer::ports::{CloudError, Location, Parameters};
use serde_json::json;

use crate::connect::Aws;
use crate::json_call::JsonAction;

const DELETE_PARAMETERS: JsonAction = JsonAction {
    action: "ssm:DeleteParameters",
    service: "ssm",
    target: "AmazonSSM",
    version: "1.1",
};

impl Parameters for Aws {
    async fn delete_parameter(&self, location: &Location, name: &str) -> Result<(), CloudError> {
        let input = json!({"Names": [name]});
        let answer = self.json_call(location, DELETE_PARAMETERS, &input).await;
        answer.map(|_| ())
    }
}
