//! The deployer under test: the real one, or a broken one that the campaign must detect.

use aws::Aws;
use compiler::Bundle;
use deployer::apply::Options;
use deployer::{ApplyReport, DeployError, DriftOptions, DriftReport, Silent};
use futures::future::LocalBoxFuture;

/// One process of a deployer, from reading the fleet to reporting.
pub trait Deployer: Sync {
    /// Makes the fleet match the bundle. `allow_delete` permits removing any number of instances.
    fn deploy<'a>(
        &'a self,
        cloud: &'a Aws,
        bundle: &'a Bundle,
        allow_delete: bool,
    ) -> LocalBoxFuture<'a, Result<ApplyReport, DeployError>>;

    /// Reports where the fleet differs from the bundle.
    fn drift<'a>(
        &'a self,
        cloud: &'a Aws,
        bundle: &'a Bundle,
    ) -> LocalBoxFuture<'a, Result<DriftReport, DeployError>> {
        Box::pin(
            async move { deployer::drift(cloud, bundle, &DriftOptions::default(), &Silent).await },
        )
    }
}

/// The product's deployer, as `cargo xtask deploy --org` calls it.
#[derive(Clone, Copy, Debug)]
pub struct Product;

impl Deployer for Product {
    fn deploy<'a>(
        &'a self,
        cloud: &'a Aws,
        bundle: &'a Bundle,
        allow_delete: bool,
    ) -> LocalBoxFuture<'a, Result<ApplyReport, DeployError>> {
        Box::pin(async move {
            let observed = deployer::observe_settled(cloud, bundle).await?;
            let plan = deployer::plan(bundle, &observed);
            let options = Options {
                allow_delete,
                ..Options::default()
            };
            deployer::apply::apply_with(cloud, bundle, &plan, &Silent, options).await
        })
    }
}
