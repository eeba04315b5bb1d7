//! The engine through its public interface, with time as an input.

// Marked as tests one by one, so that helpers may unwrap as tests do.
#[cfg(test)]
mod allocations;
#[cfg(test)]
mod bans;
#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod defects;
#[cfg(test)]
mod evasion;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod observed_headers;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod selection;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod simulated_day;
#[cfg(test)]
#[cfg(test)]
mod visit;
