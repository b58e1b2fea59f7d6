//! What is known of a CloudTrail record's fields
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>).

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One text, if it is there.
    Text,
    /// One boolean, if it is there.
    Boolean,
    /// An object or null.
    Object,
    /// Anything, a list perhaps: what the called service put there.
    Open,
}

const TEXTS: [&str; 20] = [
    "apiVersion",
    "awsRegion",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "recipientAccountId",
    "requestID",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "sourceIPAddress",
    "userAgent",
    "vpcEndpointAccountId",
    "vpcEndpointId",
    "annotation",
];

const BOOLEANS: [&str; 2] = ["managementEvent", "readOnly"];

const OBJECTS: [&str; 17] = [
    "addendum",
    "additionalEventData",
    "edgeDeviceDetails",
    "eventContext",
    "insightDetails",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "tlsDetails",
    "userIdentity",
    "userIdentity.inScopeOf",
    "userIdentity.onBehalfOf",
    "userIdentity.sessionContext",
    "userIdentity.sessionContext.attributes",
    "userIdentity.sessionContext.sessionIssuer",
    "userIdentity.sessionContext.webIdFederationData",
    "userIdentity.sessionContext.webIdFederationData.attributes",
];

/// What a field holds, by its path in the record.
pub(crate) fn kind(path: &str) -> Kind {
    let is_in = |names: &[&str]| names.contains(&path);
    if is_in(&BOOLEANS) {
        Kind::Boolean
    } else if is_in(&OBJECTS) {
        Kind::Object
    } else if is_in(&TEXTS) || path.starts_with("userIdentity.") || path.starts_with("tlsDetails.")
    {
        Kind::Text
    } else {
        Kind::Open
    }
}

/// Whether two fields may lie in the items of one list, where EventBridge wants both from the same
/// item. The objects at a record's top are never lists.
pub(crate) fn share_a_list(a: &str, b: &str) -> bool {
    if a == b || kind(a) != Kind::Open || kind(b) != Kind::Open {
        return false;
    }
    let shared = a
        .split('.')
        .zip(b.split('.'))
        .take_while(|(a, b)| a == b)
        .count();
    let below = a
        .split('.')
        .next()
        .is_some_and(|top| OBJECTS.contains(&top));
    shared > usize::from(below)
}
