//! The engine through its public interface, with time as an input.

mod allocations;
mod observed_headers;
