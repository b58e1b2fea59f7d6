//! Reads the credential scope from the `SigV4` `Authorization` header.

use crate::api::ApiError;

/// The header's credential scope. The signature itself is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) access_key: String,
    pub(super) region: String,
    /// The signing name: `sts`, `cloudformation`, `events`, ...
    pub(super) service: String,
}

/// Parses `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
pub(super) fn read(authorization: Option<&str>) -> Result<Signature, ApiError> {
    let header = authorization.ok_or_else(|| {
        ApiError::new(
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
        .status(403)
    })?;
    let incomplete = || {
        ApiError::new(
            "IncompleteSignature",
            "Authorization header requires 'Credential' parameter in the form KEY/DATE/REGION/SERVICE/aws4_request.",
        )
    };
    let (_, rest) = header.split_once("Credential=").ok_or_else(incomplete)?;
    let scope = rest.split([',', ' ']).next().unwrap_or_default();
    let mut parts = scope.rsplitn(5, '/');
    let (Some("aws4_request"), Some(service), Some(region), Some(_date), Some(access_key)) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(incomplete());
    };
    Ok(Signature {
        access_key: access_key.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_credential_scope() {
        let signature = read(Some(
            "AWS4-HMAC-SHA256 Credential=012345678901/20261123/eu-central-1/sts/aws4_request, SignatureHeaders=host, Signature=0",
        ));
        assert_eq!(
            signature.unwrap(),
            Signature {
                access_key: "012345678901".to_owned(),
                region: "eu-central-1".to_owned(),
                service: "sts".to_owned(),
            }
        );
    }

    #[test]
    fn unsigned_requests_are_refused() {
        assert_eq!(read(None).unwrap_err().code, "MissingAuthenticationToken");
        assert_eq!(
            read(Some("Bearer x")).unwrap_err().code,
            "IncompleteSignature"
        );
        assert_eq!(
            read(Some("Credential=a/b")).unwrap_err().code,
            "IncompleteSignature"
        );
    }
}
