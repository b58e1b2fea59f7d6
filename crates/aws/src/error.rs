//! Maps SDK errors to the closed set of the ports.

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::RequestId;
use deployer::ports::CloudError;

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
            let code = service.err().code().unwrap_or("Unknown");
            let message = service.err().message().unwrap_or_default();
            by_code(
                action,
                code,
                message,
                status,
                service.err().meta().request_id(),
            )
        }
        SdkError::ResponseError(response) if response.raw().status().as_u16() == 501 => {
            CloudError::Unsupported { message: in_full() }
        }
        // Timeouts, refused connections and unreadable responses, after all retries.
        _ => CloudError::Unavailable { message: in_full() },
    }
}

fn by_code(
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
