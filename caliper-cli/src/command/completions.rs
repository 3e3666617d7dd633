use clap::CommandFactory as _;

use crate::args::Args;
use crate::exit::Exit;
use crate::terminal::Terminal;

pub(super) fn run(shell: clap_complete::Shell, terminal: Terminal) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "caliper", &mut script);
    terminal.data(&String::from_utf8_lossy(&script));
    Exit::Done
}
