//! The wire protocols of AWS: AWS Query (XML answers), EC2 Query, JSON 1.0 and 1.1, REST.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;

use crate::world::World;

/// Answers any request.
pub(crate) async fn serve(State(_world): State<Arc<Mutex<World>>>) -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
