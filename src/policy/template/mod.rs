//! Instances: what is computed of a call, one file a template.

pub mod logentry;
