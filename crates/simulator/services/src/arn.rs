//! Amazon Resource Names (ARNs) and the names in them.

/// A parsed ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    /// Everything after the fifth colon.
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Parses an ARN of the partition `aws`, the only one simulated.
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

/// The part of a name or ARN after the last slash or colon.
pub fn short(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or(text)
}

/// Whether a queue or topic name is valid, with at most `longest` characters.
pub(crate) fn is_queue_or_topic_name(name: &str, longest: usize) -> bool {
    let plain = name.strip_suffix(".fifo").unwrap_or(name);
    !plain.is_empty()
        && name.len() <= longest
        && plain
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
