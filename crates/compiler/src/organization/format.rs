//! Validates ids, names and endpoints as AWS documents them.

/// `o-` and 10 to 32 lower-case letters or digits.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html>
pub(super) fn organization_id(text: &str) -> bool {
    text.strip_prefix("o-")
        .is_some_and(|rest| lower_alphanumeric(rest, 10, 32))
}

/// `r-` and 4 to 32 lower-case letters or digits.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Root.html>
pub(super) fn root_id(text: &str) -> bool {
    text.strip_prefix("r-")
        .is_some_and(|rest| lower_alphanumeric(rest, 4, 32))
}

/// `ou-`, the root's part, `-` and 8 to 32 lower-case letters or digits.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html>
pub(super) fn organizational_unit_id(text: &str) -> bool {
    text.strip_prefix("ou-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(root, unit)| {
            lower_alphanumeric(root, 4, 32) && lower_alphanumeric(unit, 8, 32)
        })
}

/// Twelve digits, including leading zeros.
pub(super) fn account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A Region code, such as `eu-central-1`, `us-gov-west-1` or `eusc-de-east-1`.
pub(super) fn region(text: &str) -> bool {
    let mut parts: Vec<&str> = text.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    let area = parts.first().copied().unwrap_or_default();
    (2..=3).contains(&parts.len())
        && (area.len() == 2 || area == "eusc")
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// `cron(…)` with six fields, or `rate(…)` with a number and a unit. The service validates the
/// fields.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
pub(super) fn schedule(text: &str) -> bool {
    let inner = |start: &str| text.strip_prefix(start)?.strip_suffix(')');
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b" ,-*?/#".contains(&byte))
    };
    if let Some(fields) = inner("cron(") {
        return plain(fields) && fields.split(' ').filter(|it| !it.is_empty()).count() == 6;
    }
    let Some((number, unit)) = inner("rate(").and_then(|rate| rate.split_once(' ')) else {
        return false;
    };
    number.parse::<u32>().is_ok_and(|number| number > 0)
        && ["minute", "minutes", "hour", "hours", "day", "days"].contains(&unit)
}

/// A topic's short name. `gizmos-<name>` must be a valid topic name and usable in logical ids.
pub(super) fn topic_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// 3 to 128 letters, digits and `._-`, with a letter or digit at both ends and no adjacent
/// punctuation.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html>
pub(super) fn trail_name(text: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    (3..=128).contains(&bytes.len())
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
        && bytes
            .windows(2)
            .all(|pair| pair.iter().any(u8::is_ascii_alphanumeric))
}

/// `arn:aws:cloudtrail:eu-central-1:111122223333:trail/name`, in any partition.
pub(super) fn trail_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "cloudtrail", home, account, resource] = parts.as_slice() else {
        return false;
    };
    region(home)
        && *partition == super::partition(home)
        && account_id(account)
        && resource.strip_prefix("trail/").is_some_and(trail_name)
}

/// 3 to 63 lower-case letters, digits and `-`, with a letter or digit at both ends. S3 allows dots,
/// but they break TLS host names, so they are rejected here.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(super) fn bucket_name(text: &str) -> bool {
    let end = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    (3..=63).contains(&text.len())
        && text.starts_with(end)
        && text.ends_with(end)
        && text.chars().all(|char| end(char) || char == '-')
}

/// A bucket name of others, which may have dots.
pub(super) fn any_bucket_name(text: &str) -> bool {
    !text.contains("..") && bucket_name(&text.replace('.', "-"))
}

/// A role name without path: up to 64 letters, digits and `+=,.@_-`.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
pub(super) fn role_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

/// `arn:aws:iam::111122223333:role/path/name`, in any partition.
pub(super) fn role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, "iam", "", account, resource] = parts.as_slice() else {
        return false;
    };
    let Some(role) = resource.strip_prefix("role/") else {
        return false;
    };
    let path_is_plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&byte))
    };
    *arn == "arn"
        && partition.starts_with("aws")
        && account_id(account)
        && role.len() <= 576
        && path_is_plain(role)
        && role.rsplit('/').next().is_some_and(role_name)
}

/// A local part and a domain with a dot; no white space, nothing that could end a JSON string
/// early.
pub(super) fn email(text: &str) -> bool {
    text.len() <= 254
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local
                    .chars()
                    .all(|char| char.is_ascii_graphic() && !"\"\\<>(),;:@[]{}".contains(char))
                && host(domain)
        })
}

/// `https://`, a host and an optional port, path and query; no user name, no white space.
pub(super) fn https_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (name, port) = authority.split_once(':').unwrap_or((authority, "443"));
    text.len() <= 2048
        && text
            .chars()
            .all(|char| char.is_ascii_graphic() && !"\"\\<>{}".contains(char))
        && host(name)
        && port.parse::<u16>().is_ok()
}

/// The ARN of a standard queue: a standard topic cannot deliver to a FIFO queue.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html>
pub(super) fn queue_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let [arn, partition, service, place, account, name] = parts.as_slice() else {
        return false;
    };
    *arn == "arn"
        && *service == "sqs"
        && region(place)
        && *partition == super::partition(place)
        && account_id(account)
        && (1..=80).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn host(text: &str) -> bool {
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

fn lower_alphanumeric(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert!(organization_id("o-exampleorg1"));
        assert!(!organization_id("o-short"));
        assert!(!organization_id("o-EXAMPLEORG1"));
        assert!(root_id("r-exmp"));
        assert!(!root_id("ou-exmp-security"));
        assert!(organizational_unit_id("ou-exmp-security"));
        assert!(!organizational_unit_id("ou-exmp"));
        assert!(account_id("012345678901"));
        assert!(!account_id("12345678901"));
    }

    #[test]
    fn regions() {
        for good in [
            "eu-central-1",
            "us-east-1",
            "us-gov-west-1",
            "eusc-de-east-1",
            "ap-southeast-3",
        ] {
            assert!(region(good), "{good}");
        }
        for bad in [
            "eu-central",
            "EU-central-1",
            "eu_central_1",
            "",
            "eu-central-1a",
            "-1",
        ] {
            assert!(!region(bad), "{bad}");
        }
    }

    #[test]
    fn endpoints() {
        assert!(email("security@example.com"));
        assert!(email("on-call+aws@mail.example.com"));
        for bad in [
            "security",
            "a@b",
            "a b@example.com",
            "a\"b@example.com",
            "@example.com",
        ] {
            assert!(!email(bad), "{bad}");
        }
        assert!(https_url("https://alerts.example.com/gizmos?team=blue"));
        assert!(https_url("https://alerts.example.com:8443/"));
        for bad in [
            "http://alerts.example.com",
            "https://alerts.example.com/{{resolve:ssm:secret}}",
            "https://",
            "https://u:p@example.com/",
            "https://a b.example.com",
        ] {
            assert!(!https_url(bad), "{bad}");
        }
        assert!(queue_arn("arn:aws:sqs:eu-central-1:333344445555:alerts"));
        for bad in [
            "arn:aws:sns:eu-central-1:333344445555:alerts",
            "arn:aws:sqs:eu-central-1:333344445555:alerts.fifo",
        ] {
            assert!(!queue_arn(bad), "{bad}");
        }
    }

    #[test]
    fn names() {
        assert!(trail_name("gizmos"));
        assert!(!trail_name("my..trail"));
        assert!(any_bucket_name("logs.example.com") && !any_bucket_name("logs..example"));
        let arn = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit";
        assert!(trail_arn(arn));
        for (from, to) in [
            ("trail/", "trail/-"),
            (":cloud", ":Cloud"),
            ("3333:", "333:"),
        ] {
            assert!(!trail_arn(&arn.replace(from, to)), "{to}");
        }
        assert!(!trail_name("-trail"));
        assert!(bucket_name(
            "gizmos-logs-o-exampleorg1-222233334444-eu-central-1"
        ));
        assert!(!bucket_name("Logs"));
        assert!(topic_name("alerts"));
        assert!(!topic_name("Alerts"));
        assert!(role_name("OrganizationAccountAccessRole"));
        assert!(!role_name("path/role"));
    }
}
