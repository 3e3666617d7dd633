/// The text in one line, of no more characters than `most`, with all escaped that is not simply read.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut printable = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut characters = text.chars();
    for character in characters.by_ref().take(most) {
        match character {
            '\t' | '\n' => printable.push(' '),
            character if character.is_control() || is_invisible(character) => {
                printable.extend(character.escape_unicode());
            }
            character => printable.push(character),
        }
    }
    if characters.next().is_some() {
        printable.push('…');
    }
    printable
}

/// Whether a character turns the direction of text (Unicode, UAX #9), breaks a line, or has no
/// width, so that what is read is not what is there.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}
