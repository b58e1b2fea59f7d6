//! What is known of the fields of a CloudTrail record.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

/// The kind of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Bool,
    /// An object whose fields are all known here.
    Object,
    /// An object whose fields belong to the service.
    Open,
}

use Shape::{Bool, Object, Open, Text};

/// Fields below `detail` of an event whose detail type ends in `via CloudTrail`.
const FIELDS: [(&str, Shape); 69] = [
    ("additionalEventData", Open),
    ("addendum", Open),
    ("apiVersion", Text),
    ("awsRegion", Text),
    ("edgeDeviceDetails", Open),
    ("errorCode", Text),
    ("errorMessage", Text),
    ("eventCategory", Text),
    ("eventContext", Open),
    ("eventID", Text),
    ("eventName", Text),
    ("eventSource", Text),
    ("eventTime", Text),
    ("eventType", Text),
    ("eventVersion", Text),
    ("insightDetails", Open),
    ("managementEvent", Bool),
    ("readOnly", Bool),
    ("recipientAccountId", Text),
    ("requestID", Text),
    ("requestParameters", Open),
    ("resources", Object),
    ("resources.ARN", Text),
    ("resources.ARNPrefix", Text),
    ("resources.accountId", Text),
    ("resources.type", Text),
    ("responseElements", Open),
    ("serviceEventDetails", Open),
    ("sessionCredentialFromConsole", Text),
    ("sharedEventID", Text),
    ("sourceIPAddress", Text),
    ("tlsDetails", Object),
    ("tlsDetails.cipherSuite", Text),
    ("tlsDetails.clientProvidedHostHeader", Text),
    ("tlsDetails.keyExchange", Text),
    ("tlsDetails.tlsVersion", Text),
    ("userAgent", Text),
    ("userIdentity", Object),
    ("userIdentity.accessKeyId", Text),
    ("userIdentity.accountId", Text),
    ("userIdentity.arn", Text),
    ("userIdentity.credentialId", Text),
    ("userIdentity.identityProvider", Text),
    ("userIdentity.inScopeOf", Open),
    ("userIdentity.invokedBy", Text),
    ("userIdentity.invokedByDelegate", Open),
    ("userIdentity.onBehalfOf", Open),
    ("userIdentity.principalId", Text),
    ("userIdentity.sessionContext", Object),
    ("userIdentity.sessionContext.assumedRoot", Text),
    ("userIdentity.sessionContext.attributes", Object),
    ("userIdentity.sessionContext.attributes.creationDate", Text),
    (
        "userIdentity.sessionContext.attributes.mfaAuthenticated",
        Text,
    ),
    (
        "userIdentity.sessionContext.attributes.sessionCredentialFromConsole",
        Text,
    ),
    ("userIdentity.sessionContext.ec2IssuedInVpc", Text),
    ("userIdentity.sessionContext.ec2RoleDelivery", Text),
    ("userIdentity.sessionContext.sessionIssuer", Object),
    ("userIdentity.sessionContext.sessionIssuer.accountId", Text),
    ("userIdentity.sessionContext.sessionIssuer.arn", Text),
    (
        "userIdentity.sessionContext.sessionIssuer.principalId",
        Text,
    ),
    ("userIdentity.sessionContext.sessionIssuer.type", Text),
    ("userIdentity.sessionContext.sessionIssuer.userName", Text),
    ("userIdentity.sessionContext.sourceIdentity", Text),
    ("userIdentity.sessionContext.webIdFederationData", Open),
    (
        "userIdentity.sessionContext.webIdFederationData.federatedProvider",
        Text,
    ),
    ("userIdentity.type", Text),
    ("userIdentity.userName", Text),
    ("vpcEndpointAccountId", Text),
    ("vpcEndpointId", Text),
];

/// Fields of single services that are well known for being text.
const TEXTS: [&str; 7] = [
    "additionalEventData.LoginTo",
    "additionalEventData.MFAIdentifier",
    "additionalEventData.MFAUsed",
    "additionalEventData.MobileVersion",
    "additionalEventData.MfaType",
    "responseElements.ConsoleLogin",
    "responseElements.CheckMfa",
];

/// The fields beside `detail` that every event has, as texts.
const ENVELOPE: [&str; 7] = [
    "account",
    "detail-type",
    "id",
    "region",
    "source",
    "time",
    "version",
];

/// The shape of the field at a pattern's path, if it is known. `cloudtrail` says whether `detail` is
/// a record.
pub(super) fn shape(path: &str, cloudtrail: bool) -> Option<Shape> {
    if ENVELOPE.contains(&path) {
        return Some(Text);
    }
    if path == "detail" {
        return Some(Open);
    }
    let below = path.strip_prefix("detail.").filter(|_| cloudtrail)?;
    if TEXTS.contains(&below) {
        return Some(Text);
    }
    let found = FIELDS.iter().find(|(name, _)| *name == below);
    found.map(|(_, shape)| *shape)
}

/// The first step of a path that is no field of a record, and the fields it could have been. `None`
/// if all steps are fields, or lie in an object whose fields belong to the service.
pub(super) fn unknown(path: &str) -> Option<(&str, Vec<&'static str>)> {
    let below = path.strip_prefix("detail.")?;
    let mut parent = "";
    for (at, _) in below.match_indices('.').chain([(below.len(), "")]) {
        let prefix = below.get(..at).unwrap_or(below);
        match FIELDS.iter().find(|(name, _)| *name == prefix) {
            Some((_, Object)) => parent = prefix,
            Some(_) => return None,
            None => return Some((prefix.rsplit('.').next()?, children(parent))),
        }
    }
    None
}

/// The names of the fields of an object.
fn children(parent: &str) -> Vec<&'static str> {
    FIELDS
        .iter()
        .filter_map(|(name, _)| match parent {
            "" => Some(*name),
            _ => name.strip_prefix(parent)?.strip_prefix('.'),
        })
        .filter(|name| !name.contains('.'))
        .collect()
}

/// Whether every record has the field, so that `anything-but` misses none for its absence.
pub(super) fn is_always_there(path: &str) -> bool {
    const ALWAYS: [&str; 13] = [
        "detail.awsRegion",
        "detail.eventCategory",
        "detail.eventID",
        "detail.eventName",
        "detail.eventSource",
        "detail.eventTime",
        "detail.eventType",
        "detail.eventVersion",
        "detail.managementEvent",
        "detail.readOnly",
        "detail.recipientAccountId",
        "detail.sourceIPAddress",
        "detail.userIdentity.type",
    ];
    ENVELOPE.contains(&path) || ALWAYS.contains(&path)
}

/// The words a field takes, if it takes only some.
pub(super) fn words(path: &str) -> Option<&'static [&'static str]> {
    Some(match path {
        "detail.userIdentity.type" => &[
            "AWSAccount",
            "AWSService",
            "AssumedRole",
            "Directory",
            "FederatedUser",
            "IAMUser",
            "IdentityCenterUser",
            "Role",
            "Root",
            "SAMLUser",
            "Unknown",
            "WebIdentityUser",
        ],
        "detail.eventType" => &[
            "AwsApiCall",
            "AwsCloudTrailInsight",
            "AwsConsoleAction",
            "AwsConsoleSignIn",
            // One record in thousands has it.
            "AwsConsoleSignin",
            "AwsServiceEvent",
            "AwsVpceEvent",
        ],
        "detail.eventCategory" => &["Data", "Insight", "Management", "NetworkActivity"],
        "detail.additionalEventData.MFAUsed" => &["No", "Yes"],
        "detail.responseElements.ConsoleLogin" => &["Failure", "Success"],
        "detail.userIdentity.sessionContext.attributes.mfaAuthenticated" => &["false", "true"],
        "detail.userIdentity.sessionContext.sessionIssuer.type" => {
            &["Role", "Root", "User", "IAMUser", "FederatedUser"]
        }
        "detail.sessionCredentialFromConsole" => &["true"],
        _ => return None,
    })
}

/// The detail types of events that CloudTrail sends.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>
pub(super) const CLOUDTRAIL: [&str; 7] = [
    API_CALL,
    "AWS Console Action via CloudTrail",
    SIGN_IN,
    SIGNIN,
    "AWS Insight via CloudTrail",
    "AWS Network Activity Event via CloudTrail",
    "AWS Service Event via CloudTrail",
];
pub(super) const API_CALL: &str = "AWS API Call via CloudTrail";
/// As events have it.
pub(super) const SIGN_IN: &str = "AWS Console Sign In via CloudTrail";
/// As the guide has it.
pub(super) const SIGNIN: &str = "AWS Console Signin via CloudTrail";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(shape("detail.readOnly", true), Some(Bool));
        assert_eq!(shape("detail.readOnly", false), None);
        assert_eq!(shape("account", false), Some(Text));
        assert_eq!(shape("detail.userIdentity", true), Some(Object));
        assert_eq!(shape("detail.requestParameters.name", true), None);
    }

    #[test]
    fn unknown_fields_have_siblings() {
        let (step, siblings) = unknown("detail.userIdentity.Arn").unwrap();
        assert_eq!(step, "Arn");
        assert!(siblings.contains(&"arn") && !siblings.contains(&"eventName"));
        assert!(unknown("detail.status").unwrap().1.contains(&"eventName"));
        let (step, siblings) =
            unknown("detail.userIdentity.sessionContext.sessionIssuer.name").unwrap();
        assert_eq!(step, "name");
        assert_eq!(
            siblings,
            ["accountId", "arn", "principalId", "type", "userName"]
        );
        assert_eq!(unknown("detail.requestParameters.x"), None);
        assert_eq!(unknown("detail.eventName"), None);
        assert_eq!(unknown("detail.eventName.x"), None);
        assert_eq!(unknown("account"), None);
    }
}
