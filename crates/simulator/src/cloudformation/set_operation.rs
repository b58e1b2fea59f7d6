use crate::world::World;
#[derive(Debug, Clone)]
pub(crate) struct Job;
pub(super) fn finish(_: &mut World, _: &Job) {}
pub(super) fn proceed(_: &mut World, _: &str, _: &str) {}
