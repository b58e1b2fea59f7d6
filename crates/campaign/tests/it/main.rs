//! A sample of the campaign, and deployers that it must see through.

mod broken;
mod sample;
mod scale;
