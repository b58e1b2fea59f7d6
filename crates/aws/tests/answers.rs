//! Answers that aren't AWS's: from proxies, and from endpoints that lack a call.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has to fail its test"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::{Aws, Credentials, Options};
use deployer::ports::{CloudError, Organizations, StackSets};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An endpoint that gives every request the same answer, and a client with that endpoint that
/// counts how long it would sleep.
struct Endpoint {
    cloud: Aws,
    slept: Arc<AtomicU64>,
    requests: Arc<Mutex<u32>>,
}

impl Endpoint {
    async fn answering(status: &'static str, body: &'static str) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let mut request = vec![0; 65_536];
                    // A small request arrives at once; the answer closes the connection.
                    stream.read(&mut request).await.unwrap_or_default();
                    *counted.lock().unwrap() += 1;
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\
                         connection: close\r\n\r\n{body}",
                        body.len()
                    );
                    stream
                        .write_all(answer.as_bytes())
                        .await
                        .unwrap_or_default();
                    stream.shutdown().await.unwrap_or_default();
                });
            }
        });
        let slept = Arc::new(AtomicU64::new(0));
        let sleeps = Arc::clone(&slept);
        let pause: aws::Pauser = Arc::new(move |duration: Duration| {
            let sleeps = Arc::clone(&sleeps);
            Box::pin(async move {
                // Five seconds are the time limit of a connection.
                let is_backoff =
                    duration < Duration::from_secs(30) && duration != Duration::from_secs(5);
                if is_backoff {
                    let milliseconds = u64::try_from(duration.as_millis()).unwrap();
                    sleeps.fetch_add(milliseconds, Ordering::Relaxed);
                } else {
                    // The SDK's time limit for an attempt, which must not pass at once.
                    std::future::pending::<()>().await;
                }
            })
        });
        let mut options = Options::new("eu-central-1");
        options.endpoint_url = Some(format!("http://{address}"));
        options.credentials = Some(Credentials {
            access_key_id: "111122223333".into(),
            secret_access_key: "example".into(),
        });
        options.attempt_timeout = Duration::from_mins(1);
        options.sleep = Some(Arc::clone(&pause));
        options.pause = Some(pause);
        Endpoint {
            cloud: Aws::connect(options).await,
            slept,
            requests,
        }
    }

    fn slept(&self) -> Duration {
        Duration::from_millis(self.slept.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn an_error_without_a_code_names_status_and_beginning_of_the_body() {
    let body = "<html><body>\n  The proxy does not allow this address.\n</body></html>";
    let endpoint = Endpoint::answering("403 Forbidden", body).await;
    let errors = [
        endpoint.cloud.list_stack_sets().await.unwrap_err(),
        endpoint.cloud.list_accounts().await.unwrap_err(),
        endpoint.cloud.caller_identity().await.unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.starts_with("HTTP 403: "), "{text}");
        assert!(
            text.contains("The proxy does not allow this address."),
            "{text}"
        );
        assert!(!text.contains('\n'), "{text}");
    }
    let endpoint = Endpoint::answering("501 Not Implemented", "").await;
    let error = endpoint.cloud.list_stack_sets().await.unwrap_err();
    assert!(matches!(error, CloudError::Unsupported { .. }), "{error}");
}

#[tokio::test]
async fn optional_questions_of_doctor_give_up_within_seconds() {
    let endpoint = Endpoint::answering("500 Internal Server Error", "").await;
    let cloud = &endpoint.cloud;
    let principal = "member.org.stacksets.cloudformation.amazonaws.com";
    let actions = ["cloudformation:CreateStackSet"];
    let holder = "arn:aws:iam::111122223333:role/gizmos-deploy";
    let answers = [
        cloud.enabled_regions().await.map(|_| ()),
        cloud.delegated_administrators(principal).await.map(|_| ()),
        cloud.trusted_services().await.map(|_| ()),
        cloud
            .simulate_permissions(holder, &actions, &["*".to_owned()], None)
            .await
            .map(|_| ()),
    ];
    for answer in answers {
        assert!(
            matches!(answer, Err(CloudError::Unavailable { .. })),
            "{answer:?}"
        );
    }
    assert!(cloud.trusted_access().await.is_ok());
    let asked = *endpoint.requests.lock().unwrap();
    assert!(asked <= 5 * 4, "{asked} requests");
    assert!(
        endpoint.slept() < Duration::from_mins(1),
        "{:?}",
        endpoint.slept()
    );
}

#[tokio::test]
async fn a_successful_answer_that_is_not_from_aws_names_status_and_beginning_of_the_body() {
    for (body, said) in [
        (
            "<html><body>Sign in to the proxy</body></html>",
            "Sign in to the proxy",
        ),
        ("garbage \u{1b}[2J", "garbage"),
        ("<Unrelated/>", "<Unrelated/>"),
        ("", "the response has no body"),
    ] {
        let endpoint = Endpoint::answering("200 OK", body).await;
        let errors = [
            endpoint.cloud.list_stack_sets().await.map(|_| ()),
            endpoint.cloud.list_accounts().await.map(|_| ()),
            endpoint.cloud.caller_identity().await.map(|_| ()),
            endpoint.cloud.enabled_regions().await.map(|_| ()),
        ];
        for (call, error) in errors.into_iter().enumerate() {
            let text =
                error.map_or_else(|error| error.to_string(), |()| format!("accepted {call}"));
            assert!(
                text.starts_with("HTTP 200: ") && text.contains(said),
                "{body}: {text}"
            );
        }
    }
}

/// Accepts connections, answers with the head, and then with `chunk` again and again until the client
/// has gone. Counts the bytes that a client took.
async fn endless(chunk: &'static [u8], pause: Duration) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut request = vec![0; 65_536];
                stream.read(&mut request).await.unwrap_or_default();
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n\r\n";
                stream.write_all(head).await.unwrap_or_default();
                while stream.write_all(chunk).await.is_ok() {
                    counted.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    (address, taken)
}

async fn impatient(endpoint: String, attempt: Duration) -> Aws {
    let mut options = Options::new("eu-central-1");
    options.endpoint_url = Some(endpoint);
    options.credentials = Some(Credentials {
        access_key_id: "111122223333".into(),
        secret_access_key: "example".into(),
    });
    options.attempt_timeout = attempt;
    // Backoffs take milliseconds.
    options.pause = Some(Arc::new(|_| Box::pin(std::future::ready(()))));
    Aws::connect(options).await
}

#[tokio::test]
async fn an_endless_answer_is_refused() {
    let (endpoint, taken) = endless(&[b'x'; 16_384], Duration::ZERO).await;
    let cloud = impatient(endpoint, Duration::from_secs(5)).await;
    let error = cloud.caller_identity().await.unwrap_err().to_string();
    let megabytes = taken.load(Ordering::Relaxed) >> 20;
    assert!(megabytes < 100, "{megabytes} MB");
    assert!(error.contains("more than 33554432 bytes"), "{error}");
}

#[tokio::test]
async fn a_trickling_answer_ends_with_the_time_limit() {
    let (endpoint, _) = endless(b"<", Duration::from_millis(20)).await;
    let cloud = impatient(endpoint, Duration::from_millis(300)).await;
    let began = std::time::Instant::now();
    let error = cloud.caller_identity().await.unwrap_err();
    assert!(matches!(error, CloudError::Unavailable { .. }), "{error}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
