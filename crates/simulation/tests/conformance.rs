//! The API server in memory against outcomes of a real one, as `e2e/conformance --record` wrote them down.

use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;
use simulation::api_server::ApiServer;
use simulation::clock::VirtualClock;
use simulation::conformance::{Collect, outcomes};

#[test]
fn the_same_calls_have_the_same_outcomes_as_with_a_real_api_server() {
    let recorded: Vec<&str> = include_str!("conformance.txt").lines().collect();
    let server = ApiServer::new(Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH)));
    let patience = Collect(server.clone());
    let ours = outcomes(&server, &patience, "ns").now_or_never().expect("nothing is waited for");
    assert!(recorded.len() > 80, "{}", recorded.len());
    for (ours, recorded) in ours.iter().zip(&recorded) {
        assert_eq!(ours, recorded);
    }
    assert_eq!(ours.len(), recorded.len());
}
