//! Worlds with known answers, and what Caliper says of them.
//!
//!     cargo run --release -p caliper-core --example planted [drifts|rows] [WORLDS]
//!
//! `drifts`: releases whose results drift or not, with noise of known size. `rows`: releases that fail,
//! releases with another result, and flaky ones, among those that are as before.

#![expect(clippy::print_stdout, reason = "a study")]

mod drifts;
mod rows;
mod world;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let which = arguments.iter().find(|argument| argument.parse::<u64>().is_err());
    let worlds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(20_u64);
    match which.map(String::as_str) {
        None => {
            drifts::print(worlds);
            println!();
            rows::print(worlds);
        }
        Some("drifts") => drifts::print(worlds),
        Some("rows") => rows::print(worlds),
        Some(other) => println!("`{other}` is neither `drifts` nor `rows`"),
    }
}
