//! The port through which decisions reach the lists' home.

use super::entry::ListChange;

/// Where the engine sends the changes that it decided on: bans and learned keywords.
///
/// A ban is in force on this instance before the sink hears of it, so an implementation may take its time; it must
/// not make the caller wait for a disk or a network, for the caller is a request.
pub trait ChangeSink: Send + Sync {
    /// Takes note of `change` and returns its sequence number, counted from 1.
    ///
    /// When lists are published that hold all changes up to a number, the caller may forget what it kept in memory for
    /// them. `u64::MAX`, which is never reached, says that the change had to be dropped because too many were waiting.
    fn submit(&self, change: ListChange) -> u64;
}
