//! REST-XML, used by S3, whose handlers read parameters from the raw request.

use quick_xml::escape::escape;
use serde_json::json;

use super::{Operation, Protocol};
use crate::api::{ApiError, RawRequest};

/// Builds the call for an action that the service has already identified.
pub(super) fn decode(
    request: &RawRequest,
    action: String,
) -> (Protocol, Result<Operation, ApiError>) {
    let input = json!({
        "Method": request.method,
        "Path": request.path,
        "Query": request.query,
    });
    let operation = Operation {
        service: None,
        action,
        input,
    };
    (Protocol::RestXml, Ok(operation))
}

/// An error body in S3's format.
pub fn error_body(error: &ApiError) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
        escape(error.code.as_str()),
        escape(error.message.as_str())
    )
}
