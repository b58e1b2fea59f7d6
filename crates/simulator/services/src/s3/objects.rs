//! Versioned objects of a bucket and their listings.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::{Digest, Md5};
use quick_xml::escape::escape;
use quick_xml::events::Event;

use super::rest::xml;
use crate::environment::hex;
use crate::wire::api::{ApiError, RawResponse};

/// Maximum entries per page, and objects per `DeleteObjects`.
const PAGE: usize = 1000;

/// The version id of objects written while versioning is off.
const NO_ID: &str = "null";

/// Objects by key, each with its versions, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    by_key: BTreeMap<String, Vec<Version>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: String,
    /// `None` is a delete marker.
    pub(crate) content: Option<Vec<u8>>,
}

/// An entry of `DeleteObjects`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ObjectToDelete {
    pub(super) key: String,
    pub(super) version: Option<String>,
}

impl Objects {
    /// Whether the bucket can be deleted: old versions and delete markers count too.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Writes an object. With a version id, earlier versions are kept.
    pub(crate) fn put(&mut self, key: &str, content: Vec<u8>, id: Option<String>) {
        self.add(key, Some(content), id);
    }

    /// Deletes an object. With a version id, adds a delete marker and keeps the versions.
    pub(crate) fn delete(&mut self, key: &str, id: Option<String>) {
        match id {
            Some(id) => self.add(key, None, Some(id)),
            None => self.delete_version(key, NO_ID),
        }
    }

    /// Permanently deletes one version.
    pub(crate) fn delete_version(&mut self, key: &str, id: &str) {
        if let Some(versions) = self.by_key.get_mut(key) {
            versions.retain(|version| version.id != id);
            if versions.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    fn add(&mut self, key: &str, content: Option<Vec<u8>>, id: Option<String>) {
        let id = id.unwrap_or_else(|| NO_ID.to_owned());
        let versions = self.by_key.entry(key.to_owned()).or_default();
        versions.retain(|version| version.id != id);
        versions.push(Version { id, content });
    }

    /// The latest version of an object, or a specific one.
    pub(super) fn get(&self, key: &str, version: Option<&str>) -> Result<&[u8], ApiError> {
        let versions = self.by_key.get(key).map_or(&[][..], Vec::as_slice);
        let found = match version {
            None => versions.last(),
            Some(id) => versions.iter().find(|version| version.id == id),
        };
        found
            .and_then(|version| version.content.as_deref())
            .ok_or_else(|| match version {
                Some(_) => ApiError::new("NoSuchVersion", "The specified version does not exist."),
                None => ApiError::new("NoSuchKey", "The specified key does not exist."),
            })
            .map_err(|error| error.status(404))
    }

    /// `ListObjectsV2`.
    pub(super) fn list(&self, bucket: &str, prefix: &str, now: &str) -> RawResponse {
        let current = self.by_key.iter().filter_map(|(key, versions)| {
            let content = versions.last()?.content.as_ref()?;
            key.starts_with(prefix).then_some((key, content))
        });
        let objects: Vec<(&String, &Vec<u8>)> = current.take(PAGE).collect();
        let mut inner = format!(
            "<Name>{bucket}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{PAGE}</MaxKeys><IsTruncated>false</IsTruncated>",
            escape(prefix),
            objects.len()
        );
        for (key, content) in objects {
            // Writing to a string does not fail.
            write!(
                inner,
                "<Contents><Key>{}</Key><LastModified>{now}</LastModified><ETag>{}</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                escape(key.as_str()),
                escape(etag(content).as_str()),
                content.len()
            )
            .unwrap_or_default();
        }
        xml("ListBucketResult", &inner)
    }

    /// `ListObjectVersions`: by key, newest version first.
    pub(super) fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: (Option<&str>, Option<&str>),
        now: &str,
    ) -> RawResponse {
        let all = self.by_key.iter().flat_map(|(key, versions)| {
            let newest = versions.len();
            let numbered = versions.iter().enumerate().rev();
            numbered.map(move |(index, version)| (key, version, index + 1 == newest))
        });
        let mut rest: Vec<(&String, &Version, bool)> = all
            .filter(|(key, ..)| key.starts_with(prefix))
            .skip_while(|(key, ..)| after.0.is_some_and(|after| key.as_str() < after))
            .collect();
        if let (Some(key), Some(id)) = after {
            let last = rest
                .iter()
                .position(|(at, version, _)| at.as_str() == key && version.id == id);
            rest.drain(..last.map_or(0, |last| last + 1));
        }
        let truncated = rest.len() > PAGE;
        rest.truncate(PAGE);
        let mut inner = format!(
            "<Name>{bucket}</Name><Prefix>{}</Prefix><MaxKeys>{PAGE}</MaxKeys><IsTruncated>{truncated}</IsTruncated>",
            escape(prefix),
        );
        if let (true, Some((key, version, _))) = (truncated, rest.last()) {
            write!(
                inner,
                "<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{}</NextVersionIdMarker>",
                escape(key.as_str()),
                version.id
            )
            .unwrap_or_default();
        }
        for (key, version, latest) in rest {
            let head = format!(
                "<Key>{}</Key><VersionId>{}</VersionId><IsLatest>{latest}</IsLatest><LastModified>{now}</LastModified>",
                escape(key.as_str()),
                version.id
            );
            match &version.content {
                Some(content) => write!(
                    inner,
                    "<Version>{head}<ETag>{}</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Version>",
                    escape(etag(content).as_str()),
                    content.len()
                ),
                None => write!(inner, "<DeleteMarker>{head}</DeleteMarker>"),
            }
            .unwrap_or_default();
        }
        xml("ListVersionsResult", &inner)
    }
}

/// Parses the body of `DeleteObjects`.
pub(super) fn objects_to_delete(body: &[u8]) -> Result<Vec<ObjectToDelete>, ApiError> {
    let malformed = || {
        ApiError::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut objects: Vec<ObjectToDelete> = Vec::new();
    let mut element = String::new();
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(start) => {
                start.local_name().as_ref().clone_into(&mut element);
                if element == "Object" {
                    objects.push(ObjectToDelete {
                        key: String::new(),
                        version: None,
                    });
                }
            }
            Event::Text(part) => match (element.as_str(), objects.last_mut()) {
                ("Key", Some(object)) => object.key.push_str(&part),
                ("VersionId", Some(object)) => object
                    .version
                    .get_or_insert_with(String::new)
                    .push_str(&part),
                _ => {}
            },
            Event::GeneralRef(reference) => {
                let char = match reference.resolve_char_ref().map_err(|_| malformed())? {
                    Some(char) => char.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&reference)
                        .ok_or_else(malformed)?
                        .to_owned(),
                };
                if let ("Key", Some(object)) = (element.as_str(), objects.last_mut()) {
                    object.key.push_str(&char);
                }
            }
            Event::End(_) => element.clear(),
            Event::Eof => break,
            _ => {}
        }
    }
    let sound = |object: &ObjectToDelete| !object.key.is_empty();
    if objects.is_empty() || objects.len() > PAGE || !objects.iter().all(sound) {
        return Err(malformed());
    }
    Ok(objects)
}

/// An object's `ETag`.
pub(super) fn etag(content: &[u8]) -> String {
    format!("\"{}\"", hex(&Md5::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_object_stays_behind_its_marker_where_versions_are_kept() {
        let mut objects = Objects::default();
        objects.put("a", b"old".to_vec(), Some("1".into()));
        objects.put("a", b"new".to_vec(), Some("2".into()));
        assert_eq!(objects.get("a", None).unwrap(), b"new");
        assert_eq!(objects.get("a", Some("1")).unwrap(), b"old");
        objects.delete("a", Some("3".into()));
        assert_eq!(objects.get("a", None).unwrap_err().code, "NoSuchKey");
        assert_eq!(objects.get("a", Some("2")).unwrap(), b"new");
        for id in ["1", "2", "3"] {
            assert!(!objects.is_empty());
            objects.delete_version("a", id);
        }
        assert!(objects.is_empty());
        objects.put("b", Vec::new(), None);
        objects.delete("b", None);
        assert!(objects.is_empty());
    }

    #[test]
    fn versions_are_listed_newest_first_a_thousand_at_a_time() {
        let mut objects = Objects::default();
        for version in 0..1_001 {
            objects.put("a", Vec::new(), Some(format!("v{version}")));
        }
        let page = |after| {
            let response = objects.list_versions("bucket", "", after, "now");
            String::from_utf8(response.body).unwrap()
        };
        let first = page((None, None));
        assert!(first.contains("<IsTruncated>true</IsTruncated>"));
        assert!(first.contains("<NextVersionIdMarker>v1</NextVersionIdMarker>"));
        assert!(first.contains("<VersionId>v1000</VersionId><IsLatest>true</IsLatest>"));
        let second = page((Some("a"), Some("v1")));
        assert!(second.contains("<IsTruncated>false</IsTruncated>"));
        assert_eq!(second.matches("<VersionId>").count(), 1);
        assert!(second.contains("<VersionId>v0</VersionId>"));
    }

    #[test]
    fn what_is_to_be_deleted_is_read_with_its_entities() {
        let list = b"<Delete><Object><Key>a&amp;b</Key><VersionId>1</VersionId></Object><Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>";
        assert_eq!(
            objects_to_delete(list).unwrap(),
            [
                ObjectToDelete {
                    key: "a&b".into(),
                    version: Some("1".into())
                },
                ObjectToDelete {
                    key: "c".into(),
                    version: None
                }
            ]
        );
        assert_eq!(
            objects_to_delete(b"<Delete></Delete>").unwrap_err().code,
            "MalformedXML"
        );
        assert_eq!(
            objects_to_delete(b"<Delete><Object>").unwrap_err().code,
            "MalformedXML"
        );
    }
}
