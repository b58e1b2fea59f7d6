//! Maps SDK errors to the closed set of the ports.

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::RequestId;
use deployer::ports::CloudError;

use crate::http::{LONGEST_ANSWER, NO_BODY};

/// Characters of an unknown body that an error shows.
const BODY_SHOWN: usize = 200;

/// Maps an SDK error to a port error. `action` is the call's IAM action, such as
/// `cloudformation:CreateStackSet`.
pub(crate) fn cloud_error<E>(action: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let in_full = || format!("{action}: {}", DisplayErrorContext(error));
    match error {
        SdkError::ConstructionFailure(_) => CloudError::Invalid { message: in_full() },
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let message = service.err().message().unwrap_or_default();
            let request_id = service.err().meta().request_id();
            match service.err().code().filter(|code| !code.is_empty()) {
                Some(code) => by_code(action, code, message, status, request_id),
                None => without_code(action, service.raw()),
            }
        }
        // A response that isn't AWS's, whatever its status.
        SdkError::ResponseError(response) => without_code(action, response.raw()),
        // Timeouts, and connections that were refused or broken, after all retries.
        _ => CloudError::Unavailable { message: in_full() },
    }
}

/// A response without AWS's error code, as proxies and other endpoints send, some with status 200: status
/// and the beginning of the body are all there is to say.
fn without_code(action: &str, response: &HttpResponse) -> CloudError {
    let body = response.body().bytes().unwrap_or_default();
    unknown_answer(action, response.status().as_u16(), body)
}

/// An answer that isn't in AWS's format.
pub(crate) fn unknown_answer(action: &str, status: u16, body: &[u8]) -> CloudError {
    let message = format!("{action}: {}", beginning(body));
    match status {
        501 => CloudError::Unsupported {
            message: format!("HTTP {status}: {message}"),
        },
        429 => CloudError::Throttled,
        500.. => CloudError::Unavailable {
            message: format!("HTTP {status}: {message}"),
        },
        _ => CloudError::Unexpected {
            code: format!("HTTP {status}"),
            message,
            request_id: None,
        },
    }
}

/// The beginning of a body on one line.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.is_empty() || body == NO_BODY {
        return "the response has no body".to_owned();
    }
    let short: String = line.chars().take(BODY_SHOWN).collect();
    let more = if short.len() < line.len() { "…" } else { "" };
    let long = if body.len() >= LONGEST_ANSWER {
        format!("has more than {LONGEST_ANSWER} bytes and ")
    } else {
        String::new()
    };
    format!("the response {long}begins with `{short}{more}`")
}

/// Maps an error code to a port error. `status` is that of the HTTP response.
pub(crate) fn by_code(
    action: &str,
    code: &str,
    message: &str,
    status: u16,
    request_id: Option<&str>,
) -> CloudError {
    let said = if message.is_empty() { code } else { message }.to_owned();
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "SlowDown" => CloudError::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "UnauthorizedOperation" => CloudError::AccessDenied {
            action: action.to_owned(),
            message: said,
        },
        "StackSetNotFoundException"
        | "StackSetNotFound"
        | "StackInstanceNotFoundException"
        | "OperationNotFoundException"
        | "OperationNotFound"
        | "ChangeSetNotFound"
        | "ChangeSetNotFoundException"
        | "StackNotFoundException"
        | "ResourceNotFoundException"
        | "NotFound"
        | "NotFoundException"
        | "TrailNotFoundException"
        | "NoSuchBucket"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => CloudError::NotFound { message: said },
        // CloudFormation reports a missing stack this way.
        "ValidationError" if said.contains("does not exist") => {
            CloudError::NotFound { message: said }
        }
        "NameAlreadyExistsException"
        | "NameAlreadyExists"
        | "AlreadyExistsException"
        | "CreatedButModifiedException" => CloudError::AlreadyExists { message: said },
        "OperationInProgressException" | "OperationInProgress" => {
            CloudError::OperationInProgress { message: said }
        }
        "OperationIdAlreadyExistsException" | "OperationIdAlreadyExists" => {
            CloudError::OperationIdAlreadyExists { message: said }
        }
        "StaleRequestException" | "StaleRequest" => CloudError::Stale { message: said },
        "LimitExceededException" | "LimitExceeded" => CloudError::Quota { message: said },
        "InvalidOperationException"
        | "InvalidOperation"
        | "ValidationError"
        | "ValidationException"
        | "InvalidParameterValue"
        | "InvalidParameter"
        | "InvalidInputException"
        | "InvalidChangeSetStatus"
        | "InsufficientCapabilitiesException" => CloudError::Invalid { message: said },
        "StackSetNotEmptyException" | "StackSetNotEmpty" => CloudError::NotEmpty { message: said },
        "InvalidAction"
        | "UnknownOperationException"
        | "UnknownAction"
        | "NotImplemented"
        | "UnsupportedOperation" => CloudError::Unsupported { message: said },
        _ if status == 501 => CloudError::Unsupported { message: said },
        _ if status >= 500 => CloudError::Unavailable {
            message: format!("{action}: {code}: {said}"),
        },
        _ => CloudError::Unexpected {
            code: code.to_owned(),
            message: format!("{action}: {said}"),
            request_id: request_id.map(str::to_owned),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::by_code;
    use deployer::ports::CloudError;

    fn of(code: &str, message: &str, status: u16) -> CloudError {
        by_code("cloudformation:Any", code, message, status, Some("request"))
    }

    #[test]
    fn a_missing_stack_is_not_found_although_cloudformation_calls_it_a_validation_error() {
        assert!(of("ValidationError", "Stack with id x does not exist", 400).is_not_found());
        assert!(matches!(
            of("ValidationError", "Template format error", 400),
            CloudError::Invalid { .. }
        ));
    }

    #[test]
    fn an_exhausted_quota_is_not_throttling() {
        assert!(matches!(
            of("LimitExceededException", "too many", 400),
            CloudError::Quota { .. }
        ));
        assert_eq!(
            of("Throttling", "Rate exceeded", 400),
            CloudError::Throttled
        );
    }

    #[test]
    fn denied_calls_name_the_action() {
        assert_eq!(
            of("AccessDenied", "not authorized", 403),
            CloudError::AccessDenied {
                action: "cloudformation:Any".into(),
                message: "not authorized".into()
            }
        );
    }

    #[test]
    fn an_error_without_a_code_names_status_and_beginning_of_the_body() {
        let said = super::beginning(b"<html>\n  <h1>Not \x1b[31mallowed</h1>");
        assert_eq!(
            said,
            "the response begins with `<html> <h1>Not \u{1b}[31mallowed</h1>`"
        );
        let long = super::beginning("é".repeat(300).as_bytes());
        assert!(long.ends_with("é…`"), "{long}");
        assert_eq!(super::beginning(b" \n"), "the response has no body");
    }

    #[test]
    fn unknown_errors_keep_code_and_request_for_support() {
        assert_eq!(
            of("Strange", "odd", 400).to_string(),
            "Strange: cloudformation:Any: odd (request request)"
        );
        assert!(matches!(
            of("InternalFailure", "", 500),
            CloudError::Unavailable { .. }
        ));
    }
}
