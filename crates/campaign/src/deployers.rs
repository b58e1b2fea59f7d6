//! Who deploys: the real deployer, or a broken one that the campaign must see through.

use aws::Aws;
use compiler::Bundle;
use deployer::apply::Options;
use deployer::{ApplyReport, DeployError, Silent};
use futures::future::LocalBoxFuture;

/// One process of a deployer, from reading the fleet to its report.
pub trait Deployer: Sync {
    /// Makes the fleet equal the bundle.
    fn deploy<'a>(
        &'a self,
        cloud: &'a Aws,
        bundle: &'a Bundle,
    ) -> LocalBoxFuture<'a, Result<ApplyReport, DeployError>>;
}

/// The deployer of the product, as `cargo xtask deploy --org` calls it.
#[derive(Clone, Copy, Debug)]
pub struct Product;

impl Deployer for Product {
    fn deploy<'a>(
        &'a self,
        cloud: &'a Aws,
        bundle: &'a Bundle,
    ) -> LocalBoxFuture<'a, Result<ApplyReport, DeployError>> {
        Box::pin(async move {
            let observed = deployer::observe_settled(cloud, bundle).await?;
            let plan = deployer::plan(bundle, &observed);
            let options = Options {
                // Most edits here take away more than a fifth.
                allow_delete: true,
                ..Options::default()
            };
            deployer::apply::apply_with(cloud, bundle, &plan, &Silent, options).await
        })
    }
}
