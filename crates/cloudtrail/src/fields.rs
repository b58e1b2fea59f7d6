//! The table of the fields of a CloudTrail record.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldShape {
    /// A string.
    Text,
    /// A JSON boolean, not text.
    Boolean,
    /// An object whose fields are all in the table.
    Object,
    /// An object whose fields belong to the called service.
    ServiceObject,
    /// A list of objects whose fields are all in the table.
    List,
}

use FieldShape::{Boolean, List, Object, ServiceObject, Text};

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Dotted path in the record, such as `userIdentity.type`.
    pub path: &'static str,
    /// The type of its value.
    pub shape: FieldShape,
    /// Whether every record has it, so that `anything-but` never misses a record that lacks it.
    pub is_in_every_record: bool,
    /// Whether CloudTrail sets it and the caller can't influence it. A record with a different
    /// category or type is another kind of event, which trails treat differently.
    pub is_written_by_cloudtrail: bool,
    /// All possible values; empty if they aren't known.
    pub values: &'static [&'static str],
}

impl Field {
    const fn new(path: &'static str, shape: FieldShape) -> Self {
        Self {
            path,
            shape,
            is_in_every_record: false,
            is_written_by_cloudtrail: false,
            values: &[],
        }
    }

    const fn in_every_record(mut self) -> Self {
        self.is_in_every_record = true;
        self
    }

    const fn by_cloudtrail(mut self) -> Self {
        self.is_written_by_cloudtrail = true;
        self
    }

    const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }
}

/// Fields that CloudTrail defines.
const FIELDS: &[Field] = &[
    Field::new("additionalEventData", ServiceObject),
    Field::new("addendum", ServiceObject),
    Field::new("annotation", Text),
    Field::new("apiVersion", Text),
    Field::new("awsRegion", Text)
        .in_every_record()
        .by_cloudtrail(),
    Field::new("edgeDeviceDetails", ServiceObject),
    Field::new("errorCode", Text),
    Field::new("errorMessage", Text),
    Field::new("eventCategory", Text)
        .in_every_record()
        .by_cloudtrail()
        .one_of(&["Data", "Insight", "Management", "NetworkActivity"]),
    Field::new("eventContext", ServiceObject),
    Field::new("eventID", Text)
        .in_every_record()
        .by_cloudtrail(),
    Field::new("eventName", Text)
        .in_every_record()
        .by_cloudtrail(),
    Field::new("eventSource", Text)
        .in_every_record()
        .by_cloudtrail(),
    Field::new("eventTime", Text)
        .in_every_record()
        .by_cloudtrail(),
    Field::new("eventType", Text)
        .in_every_record()
        .by_cloudtrail()
        .one_of(&[
            "AwsApiCall",
            "AwsCloudTrailInsight",
            "AwsConsoleAction",
            "AwsConsoleSignIn",
            // Rare: about one record in thousands.
            "AwsConsoleSignin",
            "AwsServiceEvent",
            "AwsVpceEvent",
        ]),
    Field::new("eventVersion", Text)
        .in_every_record()
        .by_cloudtrail(),
    Field::new("insightDetails", ServiceObject),
    Field::new("managementEvent", Boolean).in_every_record(),
    Field::new("readOnly", Boolean).in_every_record(),
    Field::new("recipientAccountId", Text)
        .in_every_record()
        .by_cloudtrail(),
    Field::new("requestID", Text).by_cloudtrail(),
    Field::new("requestParameters", ServiceObject),
    Field::new("resources", List),
    Field::new("resources.ARN", Text),
    Field::new("resources.ARNPrefix", Text),
    Field::new("resources.accountId", Text),
    Field::new("resources.type", Text),
    Field::new("responseElements", ServiceObject),
    Field::new("serviceEventDetails", ServiceObject),
    Field::new("sessionCredentialFromConsole", Text).one_of(&["true"]),
    Field::new("sharedEventID", Text).by_cloudtrail(),
    Field::new("sourceIPAddress", Text).in_every_record(),
    Field::new("tlsDetails", Object),
    Field::new("tlsDetails.cipherSuite", Text),
    Field::new("tlsDetails.clientProvidedHostHeader", Text),
    Field::new("tlsDetails.keyExchange", Text),
    Field::new("tlsDetails.tlsVersion", Text),
    Field::new("userAgent", Text),
    Field::new("userIdentity", Object),
    Field::new("userIdentity.accessKeyId", Text),
    Field::new("userIdentity.accountId", Text),
    Field::new("userIdentity.arn", Text),
    Field::new("userIdentity.credentialId", Text),
    Field::new("userIdentity.identityProvider", Text),
    Field::new("userIdentity.inScopeOf", ServiceObject),
    Field::new("userIdentity.invokedBy", Text),
    Field::new("userIdentity.invokedByDelegate", ServiceObject),
    Field::new("userIdentity.onBehalfOf", ServiceObject),
    Field::new("userIdentity.principalId", Text),
    Field::new("userIdentity.sessionContext", Object),
    Field::new("userIdentity.sessionContext.assumedRoot", Text),
    Field::new("userIdentity.sessionContext.attributes", Object),
    Field::new("userIdentity.sessionContext.attributes.creationDate", Text),
    Field::new(
        "userIdentity.sessionContext.attributes.mfaAuthenticated",
        Text,
    )
    .one_of(&["false", "true"]),
    Field::new(
        "userIdentity.sessionContext.attributes.sessionCredentialFromConsole",
        Text,
    ),
    Field::new("userIdentity.sessionContext.ec2IssuedInVpc", Text),
    Field::new("userIdentity.sessionContext.ec2RoleDelivery", Text),
    Field::new("userIdentity.sessionContext.sessionIssuer", Object),
    Field::new("userIdentity.sessionContext.sessionIssuer.accountId", Text),
    Field::new("userIdentity.sessionContext.sessionIssuer.arn", Text),
    Field::new(
        "userIdentity.sessionContext.sessionIssuer.principalId",
        Text,
    ),
    Field::new("userIdentity.sessionContext.sessionIssuer.type", Text).one_of(&[
        "Role",
        "Root",
        "User",
        "IAMUser",
        "FederatedUser",
    ]),
    Field::new("userIdentity.sessionContext.sessionIssuer.userName", Text),
    Field::new("userIdentity.sessionContext.sourceIdentity", Text),
    Field::new(
        "userIdentity.sessionContext.webIdFederationData",
        ServiceObject,
    ),
    Field::new(
        "userIdentity.sessionContext.webIdFederationData.attributes",
        ServiceObject,
    ),
    Field::new(
        "userIdentity.sessionContext.webIdFederationData.federatedProvider",
        Text,
    ),
    Field::new("userIdentity.type", Text)
        .in_every_record()
        .one_of(&[
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
        ]),
    Field::new("userIdentity.userName", Text),
    Field::new("vpcEndpointAccountId", Text),
    Field::new("vpcEndpointId", Text),
];

/// Well-known fields of single services, inside a [`FieldShape::ServiceObject`].
const SERVICE_FIELDS: &[Field] = &[
    Field::new("additionalEventData.LoginTo", Text),
    Field::new("additionalEventData.MFAIdentifier", Text),
    Field::new("additionalEventData.MFAUsed", Text).one_of(&["No", "Yes"]),
    Field::new("additionalEventData.MobileVersion", Text),
    Field::new("additionalEventData.MfaType", Text),
    Field::new("responseElements.ConsoleLogin", Text).one_of(&["Failure", "Success"]),
    Field::new("responseElements.CheckMfa", Text),
];

/// The field at a path, if CloudTrail defines it.
///
/// ```
/// use cloudtrail::fields::{FieldShape, field};
///
/// assert_eq!(field("readOnly").map(|field| field.shape), Some(FieldShape::Boolean));
/// assert_eq!(field("requestParameters.bucketName"), None);
/// ```
pub fn field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

/// The well-known field of a service at a path.
pub fn service_field(path: &str) -> Option<&'static Field> {
    SERVICE_FIELDS.iter().find(|field| field.path == path)
}

/// The first step of a path that isn't a field of a record, and its valid siblings. `None` if all
/// steps are fields, or are inside an object whose fields belong to the service.
pub fn unknown_step(path: &str) -> Option<(&str, Vec<&'static str>)> {
    let mut parent = "";
    for (at, _) in path.match_indices('.').chain([(path.len(), "")]) {
        let prefix = path.get(..at).unwrap_or(path);
        match field(prefix) {
            Some(field) if matches!(field.shape, Object | List) => parent = prefix,
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
        .filter_map(|field| match parent {
            "" => Some(field.path),
            _ => field.path.strip_prefix(parent)?.strip_prefix('.'),
        })
        .filter(|name| !name.contains('.'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_listed_twice_and_each_has_its_parent() {
        for (index, field) in FIELDS.iter().chain(SERVICE_FIELDS).enumerate() {
            let same = |other: &&Field| other.path == field.path;
            assert!(
                !FIELDS
                    .iter()
                    .chain(SERVICE_FIELDS)
                    .skip(index + 1)
                    .any(|it| same(&it)),
                "{}",
                field.path
            );
            if let Some((parent, _)) = field.path.rsplit_once('.') {
                let parent = super::field(parent).map(|parent| parent.shape);
                assert!(
                    matches!(parent, Some(Object | List | ServiceObject)),
                    "{}",
                    field.path
                );
            }
        }
    }

    #[test]
    fn unknown_fields_have_siblings() {
        let (step, siblings) = unknown_step("userIdentity.Arn").unwrap();
        assert_eq!(step, "Arn");
        assert!(siblings.contains(&"arn") && !siblings.contains(&"eventName"));
        assert!(unknown_step("status").unwrap().1.contains(&"eventName"));
        let (step, siblings) =
            unknown_step("userIdentity.sessionContext.sessionIssuer.name").unwrap();
        assert_eq!(step, "name");
        assert_eq!(
            siblings,
            ["accountId", "arn", "principalId", "type", "userName"]
        );
        for known in [
            "requestParameters.x",
            "eventName",
            "eventName.x",
            "resources.ARN",
        ] {
            assert_eq!(unknown_step(known), None);
        }
    }
}
