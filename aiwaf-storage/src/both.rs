//! Two things at the same time.

use std::panic::resume_unwind;
use std::thread;

/// Does `first` here and `second` on a thread of its own, or behind it if the system gives none. For halves of long work:
/// a thread costs some tens of microseconds.
///
/// # Panics
/// If one of the two does.
///
/// ```
/// let (length, sum) = aiwaf_storage::both(|| "abc".len(), || 1 + 2);
/// assert_eq!((length, sum), (3, 3));
/// ```
pub fn both<A, B: Send>(first: impl FnOnce() -> A, second: impl Fn() -> B + Sync) -> (A, B) {
    thread::scope(|scope| {
        let helper = thread::Builder::new().spawn_scoped(scope, &second);
        let first = first();
        let second = match helper.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => second(),
        };
        (first, second)
    })
}
