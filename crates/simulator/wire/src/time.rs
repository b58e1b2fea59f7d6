//! Timestamp formats of the protocols.

use jiff::Timestamp;

/// The timestamp format of the XML protocols.
pub fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The timestamp format of HTTP headers.
pub fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The timestamp format of the JSON protocols: seconds since 1970.
pub fn epoch(time: Timestamp) -> serde_json::Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 are far below 2^53"
    )]
    let seconds = time.as_millisecond() as f64 / 1000.0;
    serde_json::Value::from(seconds)
}
