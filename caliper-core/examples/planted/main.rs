//! Worlds with known answers, and what Caliper says of them.
//!
//!     cargo run --release -p caliper-core --example planted [drifts|rows|screens] [WORLDS [RUNS]]
//!
//! `drifts`: releases whose results drift or not, with noise of known size. `rows`: releases that fail,
//! releases with another result, and flaky ones, among those that are as before. `screens`: how often all that
//! is told of one test has a false word, and how often it has the true one.

#![expect(clippy::print_stdout, reason = "a study")]

mod drifts;
mod rows;
mod screens;
mod world;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let which = arguments.iter().find(|argument| argument.parse::<u64>().is_err());
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
    let worlds = numbers.next().unwrap_or(20_u64);
    let only = numbers.next();
    match which.map(String::as_str) {
        None => {
            drifts::print(worlds, only);
            println!();
            rows::print(worlds, only);
            println!();
            screens::print(worlds, only);
        }
        Some("drifts") => drifts::print(worlds, only),
        Some("rows") => rows::print(worlds, only),
        Some("screens") => screens::print(worlds, only),
        Some(other) => println!("`{other}` is none of `drifts`, `rows` and `screens`"),
    }
}
