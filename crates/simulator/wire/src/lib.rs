//! AWS's wire protocols for a simulated AWS: decodes requests and encodes responses.
//!
//! A [`RawRequest`](api::RawRequest) of any protocol is decoded to a [`protocol::Call`]; [`decode`]
//! reads the call's parameters into a typed structure; and the action's output or
//! [`ApiError`](api::ApiError) is encoded in the protocol of the request. The crate keeps no state.
//! Its only knowledge of AWS services is how the protocols name them.
//!
//! # Example
//!
//! ```
//! use serde::Deserialize;
//! use simulator_wire::api::RawRequest;
//! use simulator_wire::{decode, protocol};
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields, rename_all = "PascalCase")]
//! struct ListTopics {
//!     next_token: Option<String>,
//! }
//!
//! let scope = "111122223333/20261123/eu-central-1/sns/aws4_request";
//! let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
//! let request = RawRequest::new(
//!     "POST",
//!     "/",
//!     None,
//!     [("authorization", authorization.as_bytes())].into_iter(),
//!     b"Action=ListTopics&Version=2010-03-31&NextToken=20".to_vec(),
//! );
//! let (protocol, call) = protocol::decode(&request, |_| unreachable!("SNS isn't S3"));
//! let call = call.unwrap();
//! assert_eq!((call.service.as_str(), call.action.as_str()), ("sns", "ListTopics"));
//!
//! let parameters: ListTopics = decode(&call.input).unwrap();
//! assert_eq!(parameters.next_token.as_deref(), Some("20"));
//!
//! let output = protocol::Output::Value(serde_json::json!({"Topics": []}));
//! let answer = protocol.answer(&call.action, &output, "request-1");
//! assert!(answer.body.starts_with(b"<ListTopicsResponse"));
//! ```

mod action;
pub mod api;
pub mod paging;
pub mod protocol;
mod request;
pub mod time;

pub use action::{Action, Effect};
pub use paging::listing;
pub use request::{decode, missing, scalar};

/// Lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
