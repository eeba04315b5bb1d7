//! The engine through its public interface, with time as an input.

mod allocations;
mod bans;
mod behaviour;
mod concurrency;
mod defects;
mod evasion;
mod hostile;
mod lists;
mod modes;
mod policy;
mod properties;
mod selection;
mod visit;
