//! REST with XML, which S3 speaks. Parameters stay in the request.

use quick_xml::escape::escape;
use serde_json::json;

use super::{Operation, Protocol};
use crate::api::{ApiError, RawRequest};

/// A request for an action that its service has named.
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

/// An error as S3 writes it.
pub fn error_body(error: &ApiError) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
        escape(error.code.as_str()),
        escape(error.message.as_str())
    )
}
