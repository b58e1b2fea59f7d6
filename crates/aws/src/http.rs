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
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The SDK's default client, which honors proxy environment variables. It reads certificates on the
/// first call. Counts the requests, retries included.
pub(crate) fn client(requests: &Arc<AtomicU64>) -> SharedHttpClient {
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
    })
}

/// Hides the inner client's validation, which reads and discards the certificates for every SDK
/// client.
#[derive(Debug)]
struct Shared {
    inner: SharedHttpClient,
    requests: Arc<AtomicU64>,
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
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

/// Counts requests.
#[derive(Debug)]
struct Counted {
    connector: SharedHttpConnector,
    requests: Arc<AtomicU64>,
}

impl HttpConnector for Counted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.connector.call(request)
    }
}
