//! Evaluation of IAM policies.
