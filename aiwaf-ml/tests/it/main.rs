//! The forest and the model file through the public API.

mod forest;
mod model_file;
mod support;
mod watch;
