//! Edits the lists of a running service, or of any, from another process.
//!
//! ```sh
//! cargo run -p aiwaf-storage --features sqlite,postgres --example lists -- csv:aiwaf_data ban 203.0.113.9 scanner
//! cargo run -p aiwaf-storage --features sqlite,postgres --example lists -- csv:aiwaf_data pardon 203.0.113.9
//! cargo run -p aiwaf-storage --features sqlite,postgres --example lists -- csv:aiwaf_data
//! ```

use std::error::Error;

use aiwaf_storage::{Manager, open, system_clock};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((url, command)) = arguments.split_first() else {
        return Err("give the URL of a store, such as csv:aiwaf_data".into());
    };
    let manager = Manager::new(open(url)?);
    let changed = match command {
        [] => {
            for ban in manager.list_blacklist(system_clock())? {
                println!("{} {}", ban.network, ban.reason);
            }
            return Ok(());
        }
        ["ban", network] => manager.add_to_blacklist(network, "", system_clock())?,
        ["ban", network, reason] => manager.add_to_blacklist(network, reason, system_clock())?,
        ["pardon", network] => manager.remove_from_blacklist(network)?,
        _ => return Err("give `ban ADDRESS [REASON]`, `pardon ADDRESS` or nothing after the URL".into()),
    };
    println!("{}", if changed { "changed" } else { "was so already" });
    Ok(())
}
