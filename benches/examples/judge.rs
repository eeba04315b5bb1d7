//! Judges one ordinary request again and again, for `cargo xtask instructions` to count what that takes.
//!
//! Usage: judge get|form|json TIMES

use std::hint::black_box;

use aiwaf_benches::signatures::{FORM, JSON, QUERY, base, engine, form, json};
use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().context("give get, form or json")?;
    let times: u32 = arguments.next().context("give a number")?.parse().context("the second is a number")?;
    let (form, json) = (form(), json(1));
    let request = match &*what {
        "get" => base().with_query(QUERY),
        "form" => base().with_headers(&FORM).with_body(form.as_bytes()),
        "json" => base().with_headers(&JSON).with_body(json.as_bytes()),
        other => bail!("{other:?} is none of get, form and json"),
    };
    let engine = engine();
    for _ in 0..times {
        black_box(engine.inspect(black_box(&request)));
    }
    Ok(())
}
