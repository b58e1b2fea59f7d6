use crate::world::World;
#[derive(Debug, Clone)]
pub(crate) struct Move;
pub(crate) fn account_moved(
    _world: &mut World,
    _account: &str,
    _from: Option<&str>,
    _to: Option<&str>,
) {
}
pub(super) fn follow(_: &mut World, _: &Move) {}
