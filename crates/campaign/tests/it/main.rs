//! A sample of the campaign, and broken deployers that it must detect.

mod broken;
mod sample;
mod scale;
