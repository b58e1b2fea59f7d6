//! The client against a real simulator: the types match the API's JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Config, Simulator};
use simulator_client::{Client, ClientError, HopOutcome, Instance};

#[tokio::test(flavor = "multi_thread")]
async fn client_reads_the_simulators_responses() {
    let simulator = Simulator::start(Config::default()).await.unwrap();
    let client = Client::new(&simulator.endpoint());
    let state = client.state().await.unwrap();
    assert!(
        state
            .accounts
            .iter()
            .any(|account| account.id == state.organization.security)
    );
    let (account, region) = (state.workload().unwrap(), &state.regions[0]);

    let event = json!({"source": "aws.ec2", "detail-type": "Example", "detail": {}});
    let trace = client.send(account, region, &event).await.unwrap();
    assert!(trace.deliveries.is_empty());
    assert!(
        trace
            .hops
            .iter()
            .all(|hop| hop.outcome == HopOutcome::Dropped),
        "{trace:?}"
    );

    let instance = Instance {
        account: account.to_owned(),
        region: region.clone(),
        instance_id: "i-0123456789abcdef0".to_owned(),
        state: "stopped".to_owned(),
        tags: BTreeMap::from([("Name".to_owned(), "example".to_owned())]),
    };
    client.put_instance(&instance).await.unwrap();
    assert_eq!(client.instances(account, region).await.unwrap(), [instance]);

    let now = || client.call::<Value>("state", None).unwrap()["now"].clone();
    let before = now();
    client.advance(Duration::from_hours(1)).await.unwrap();
    assert_ne!(now(), before);

    client
        .discard_dead_letters(&[trace.event_id])
        .await
        .unwrap();
    assert_eq!(client.inbox().await.unwrap(), []);
    client.reset_calls().await.unwrap();
    let calls = client.calls().await.unwrap();
    assert_eq!((calls.mutating, calls.reading), (0, 0));

    let refused = client.call::<Value>("clock/advance", Some(&json!({"minutes": 1})));
    let Err(ClientError::Refused {
        status: 400, text, ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert!(text.contains("minutes"), "{text}");
    simulator.stop().await;
}

#[tokio::test]
async fn unreachable_simulator_is_an_error() {
    let error = Client::new("http://127.0.0.1:1").state().await.unwrap_err();
    assert!(
        matches!(error, ClientError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .starts_with("no simulator answers at http://127.0.0.1:1/")
    );
}
