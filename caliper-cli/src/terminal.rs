//! What a person sees: data on standard output, everything else on standard error.

pub(crate) mod line;
mod wrap;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use caliper_core::report::grid::Span;
use caliper_core::report::model::Tone;
use wrap::wrapped;

/// Where and how to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    colours_out: bool,
    colours_err: bool,
    loudness: Loudness,
}

/// How much a person wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loudness {
    Quiet,
    Usual,
    Verbose,
}

impl Terminal {
    pub(crate) fn new(no_color: bool, quiet: bool, verbose: bool) -> Self {
        // https://no-color.org: set and not empty.
        let wanted = !no_color
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        Self {
            colours_out: wanted && io::stdout().is_terminal(),
            colours_err: wanted && io::stderr().is_terminal(),
            loudness: match (quiet, verbose) {
                (true, _) => Loudness::Quiet,
                (false, true) => Loudness::Verbose,
                (false, false) => Loudness::Usual,
            },
        }
    }

    pub(crate) fn is_quiet(self) -> bool {
        self.loudness == Loudness::Quiet
    }

    pub(crate) fn is_verbose(self) -> bool {
        self.loudness == Loudness::Verbose
    }

    /// Prints data. A reader that has gone away (`| head`) is no error.
    #[expect(clippy::unused_self, reason = "only code that holds a terminal may print")]
    pub(crate) fn data(self, text: &str) {
        line::make_room();
        let mut out = io::stdout().lock();
        note_loss(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// Where data goes that is printed piece by piece.
    #[expect(clippy::unused_self, reason = "only code that holds a terminal may print")]
    pub(crate) fn writer(self) -> impl io::Write {
        line::make_room();
        io::BufWriter::new(io::stdout().lock())
    }

    /// The text in the colour of its tone, for standard error.
    pub(crate) fn painted(self, tone: Tone, text: &str) -> String {
        paint(self.colours_err, style(tone), text)
    }

    /// How many characters fit a line of data: of the terminal, if it goes to one.
    #[expect(clippy::unused_self, reason = "only code that holds a terminal may ask")]
    pub(crate) fn width(self) -> usize {
        line::columns_of(io::stdout())
    }

    /// Prints lines of data with their tones. On a terminal, those that are too long are broken between words: a program
    /// that reads them gets each in one piece.
    pub(crate) fn lines(self, lines: &[Vec<Span>]) {
        let width = if io::stdout().is_terminal() { self.width() } else { usize::MAX };
        let mut text = String::new();
        for line in lines.iter().flat_map(|line| wrapped(line, width)) {
            for (tone, piece) in &line {
                text += &paint(self.colours_out, style(*tone), piece);
            }
            text.push('\n');
        }
        self.data(&text);
    }

    /// Prints text that has nothing but lines of prose, as [`Terminal::lines`] does, without what could redraw a terminal.
    pub(crate) fn prose(self, text: &str) {
        let line = |line: &str| vec![(Tone::Plain, printable(line))];
        self.lines(&text.lines().map(line).collect::<Vec<_>>());
    }

    /// Says something to a person, unless they want quiet.
    pub(crate) fn note(self, text: &str) {
        if !self.is_quiet() {
            err(text);
        }
    }

    /// Says why it ends badly, also to those who want quiet.
    #[expect(clippy::unused_self, reason = "only code that holds a terminal may print")]
    pub(crate) fn verdict(self, text: &str) {
        err(text);
    }

    /// Says more to a person who asked for it.
    pub(crate) fn detail(self, text: &str) {
        if self.is_verbose() {
            err(text);
        }
    }

    pub(crate) fn warning(self, text: &str) {
        if !self.is_quiet() {
            let label = paint(self.colours_err, AnsiColor::Yellow.on_default().bold(), "warning");
            err(&format!("{label}: {}", printable(text)));
        }
    }

    /// Prints an error and what caused it.
    pub(crate) fn error(self, error: &(dyn Error + Send + Sync)) {
        let label = paint(self.colours_err, AnsiColor::Red.on_default().bold(), "error");
        let mut text = format!("{label}: {}", printable(&error.to_string()));
        let mut source = error.source();
        while let Some(cause) = source {
            text += &format!("\n  caused by: {}", printable(&cause.to_string()));
            source = cause.source();
        }
        err(&text);
    }
}

/// Why data could not be printed.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Notes that data was lost, unless its reader has gone away (`| head`).
pub(crate) fn note_loss(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error);
    }
}

/// Why data could not be printed, if so.
pub(crate) fn lost() -> Option<&'static io::Error> {
    LOST.get()
}

fn err(text: &str) {
    line::above(text);
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Notable => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
        Tone::Spurious => AnsiColor::Magenta.on_default(),
    }
}

fn paint(colours: bool, style: Style, text: &str) -> String {
    if colours && !style.is_plain() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// The text without control characters, which could redraw a terminal or turn its lines around; line
/// breaks and tabs stay.
pub(crate) fn printable(text: &str) -> String {
    let replace = |character: char| match character {
        '\n' | '\t' => character,
        character if character.is_control() => '\u{fffd}',
        // These turn the direction of what follows (Unicode, UAX #9).
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        character => character,
    };
    text.chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_print_cannot_redraw_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\nc\u{9b}d"), "a\u{fffd}[2Jb\u{fffd}\nc\u{fffd}d");
        assert_eq!(printable("1.0\u{202e}passed"), "1.0\u{fffd}passed");
    }
}
