//! Amazon Resource Names.

/// The parts of an ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    /// Everything behind the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN of the simulator's one partition, `aws`, apart.
    pub(crate) fn parse(text: &'a str) -> Option<Arn<'a>> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", "aws", service, region, account, resource] = parts.as_slice() else {
            return None;
        };
        (!service.is_empty() && !resource.is_empty()).then_some(Arn {
            service,
            region,
            account,
            resource,
        })
    }
}

/// The last part of a name or ARN: what stands behind the last slash or colon.
pub(crate) fn short(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or(text)
}
