use caliper_core::report::schema::{Format, schema};

use crate::args::SchemaName;
use crate::exit::Exit;
use crate::terminal::Terminal;

pub(super) fn run(name: SchemaName, terminal: Terminal) -> Exit {
    terminal.data(&schema(match name {
        SchemaName::Config => Format::Config,
        SchemaName::Results => Format::Results,
        SchemaName::Record => Format::Record,
        SchemaName::Event => Format::Event,
        SchemaName::Grid => Format::Grid,
        SchemaName::Plan => Format::Forecast,
        SchemaName::Suggest => Format::Advice,
        SchemaName::Compare => Format::Comparison,
        SchemaName::Blame => Format::Blame,
        SchemaName::Bounds => Format::Bounds,
        SchemaName::Doctor => Format::Diagnosis,
        SchemaName::Selftest => Format::Selftest,
        SchemaName::Replay => Format::Replay,
        SchemaName::Row => Format::Row,
        SchemaName::History => Format::History,
        SchemaName::Spread => Format::Spread,
        SchemaName::Probe => Format::Probe,
    }));
    Exit::Done
}
