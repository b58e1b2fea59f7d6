//! One HTTP client shared by all services, accounts and Regions.
//!
//! By default, every SDK client creates its own. Each reads the system's certificates, which takes
//! milliseconds, and opens new connections to endpoints that others are already connected to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// Longest answer of an API, in bytes; the longest of AWS, a template, has 1 MB.
pub(crate) const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// Stands for an empty body where the SDK would take that for an answer without fields, and so a proxy's
/// for an organization without accounts.
pub(crate) const NO_BODY: &[u8] = b"no body";

/// The SDK's default client, which honors proxy environment variables. It reads certificates on the
/// first call. Counts the requests, retries included, and reads at most [`LONGEST_ANSWER`] of an
/// answer, within the time limit of an attempt.
pub(crate) fn client(requests: &Arc<AtomicU64>) -> SharedHttpClient {
    shared(requests, true)
}

/// A client for objects of any length, which the caller reads piece by piece.
pub(crate) fn object_client() -> SharedHttpClient {
    shared(&Arc::default(), false)
}

fn shared(requests: &Arc<AtomicU64>, is_read_at_once: bool) -> SharedHttpClient {
    let client = Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector =
            ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::Ring));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    });
    SharedHttpClient::new(Shared {
        inner: client,
        requests: Arc::clone(requests),
        is_read_at_once,
    })
}

/// Hides the inner client's validation, which reads and discards the certificates for every SDK
/// client.
#[derive(Debug)]
struct Shared {
    inner: SharedHttpClient,
    requests: Arc<AtomicU64>,
    is_read_at_once: bool,
}

impl HttpClient for Shared {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Counted {
            connector: self.inner.http_connector(settings, components),
            requests: Arc::clone(&self.requests),
            is_read_at_once: self.is_read_at_once,
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

/// Counts requests and bounds answers.
#[derive(Debug)]
struct Counted {
    connector: SharedHttpConnector,
    requests: Arc<AtomicU64>,
    is_read_at_once: bool,
}

impl HttpConnector for Counted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let is_question = is_question(&request);
        let answer = self.connector.call(request);
        if !self.is_read_at_once {
            return answer;
        }
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            let body = ByteStream::new(std::mem::replace(answer.body_mut(), SdkBody::taken()));
            let mut bytes = beginning(body).await?;
            if bytes.is_empty() && is_question {
                bytes.extend_from_slice(NO_BODY);
            }
            *answer.body_mut() = SdkBody::from(bytes);
            Ok(answer)
        })
    }
}

/// Whether an answer in JSON is expected to have fields.
fn is_question(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let is_json = headers
        .get("content-type")
        .is_some_and(|it| it.contains("json"));
    // By the service's protocol, the action's name stands in a header or in the path.
    let target = headers.get("x-amz-target").unwrap_or(request.uri());
    let name = target.rsplit(['.', '/']).next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    is_json
        && ["describe", "get", "list"]
            .iter()
            .any(|it| name.starts_with(it))
}

/// At most [`LONGEST_ANSWER`] bytes of a body. What is left out makes the answer unreadable; an error
/// here would be retried.
async fn beginning(mut body: ByteStream) -> Result<Vec<u8>, ConnectorError> {
    let mut bytes = Vec::new();
    while bytes.len() < LONGEST_ANSWER
        && let Some(piece) = body.next().await
    {
        let piece = piece.map_err(|error| ConnectorError::io(error.into()))?;
        let room = LONGEST_ANSWER - bytes.len();
        bytes.extend_from_slice(piece.get(..room).unwrap_or(&piece));
    }
    Ok(bytes)
}
