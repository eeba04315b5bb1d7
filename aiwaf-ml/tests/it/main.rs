//! The forest and the model file through the public API.

mod forest;
