use crate::analysis::results::Results;
use crate::analysis::suggest::Suggested;
use crate::report::model::Advice;

/// Good, mixed and bad, dark enough for white letters: their contrast is above 4.5
/// ([WCAG 2.2, 1.4.3](https://www.w3.org/TR/WCAG22/#contrast-minimum)).
const GOOD: &str = "#2d7a33";
const MIXED: &str = "#8a6100";
const BAD: &str = "#b3261e";

/// How long a side may be, in characters.
const LONGEST: usize = 40;

/// The answer in one line as an image in the usual form of a badge (SVG): the dependency, and the releases that work. It needs
/// no font and no other file.
pub fn badge(results: &Results) -> String {
    let (answer, colour) = answer(results);
    let name = shown(results.dependency.normalized());
    let (answer, title) = (shown(&answer), shown(&format!("{name}: {answer}")));
    let (left, right) = (width(&name), width(&answer));
    let all = left + right;
    let side = |middle: u32, length: u32, text: &str| {
        format!(
            "<text x=\"{middle}\" y=\"14\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{text}</text>",
            length - 2 * PADDING
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n\
         <clipPath id=\"round\"><rect width=\"{all}\" height=\"20\" rx=\"3\"/></clipPath>\n\
         <g clip-path=\"url(#round)\"><rect width=\"{left}\" height=\"20\" fill=\"#444\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/></g>\n\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,Geneva,DejaVu Sans,sans-serif\" font-size=\"11\">\
         {}{}</g>\n</svg>\n",
        side(left / 2, left, &name),
        side(left + right / 2, right, &answer),
    )
}

/// What works, and the colour for it.
fn answer(results: &Results) -> (String, &'static str) {
    match Advice::of(results, &|_| true).all {
        // A specifier would promise releases that were not measured.
        Suggested::Specifier(suggestion)
            if suggestion.nothing_fails || !suggestion.unproven.is_empty() =>
        {
            let colour = if suggestion.nothing_fails { GOOD } else { MIXED };
            let answer = match suggestion.allows.as_slice() {
                [] => "nothing measured".to_owned(),
                [one] => format!("{one} works"),
                [first, second] => format!("{first} and {second} work"),
                [first, .., last] if suggestion.unproven.is_empty() => {
                    format!("{first} to {last} work")
                }
                all => format!("{} of the measured releases work", all.len()),
            };
            (answer, colour)
        }
        Suggested::Specifier(suggestion) => {
            let answer = format!("{} works", pretty(&suggestion.specifier));
            // A list of exceptions is no answer in one line.
            if answer.chars().count() <= LONGEST {
                return (answer, MIXED);
            }
            (format!("{} releases work", suggestion.allows.len()), MIXED)
        }
        Suggested::NothingPasses => ("no release works".to_owned(), BAD),
        Suggested::Inseparable { .. } => ("some releases fail".to_owned(), MIXED),
    }
}

fn pretty(specifier: &str) -> String {
    specifier.replace(">=", "≥").replace("<=", "≤").replace("!=", "≠").replace(',', ", ")
}

/// Beside the text, in pixels.
const PADDING: u32 = 6;

/// The width of a side, in pixels: about that of 11 pixels high Verdana. `textLength` makes any other font fit.
fn width(text: &str) -> u32 {
    let tenths = |one: char| match one {
        'i' | 'j' | 'l' | '.' | ',' | '\'' | ' ' | ':' | ';' | '|' => 36,
        'f' | 'r' | 't' | '-' | '(' | ')' => 48,
        'm' | 'w' | 'M' | 'W' | '≥' | '≤' | '≠' | '<' | '>' | '=' => 95,
        'A'..='Z' => 78,
        _ => 69,
    };
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    text.chars().map(tenths).sum::<u32>().div_ceil(10).max(8) + 2 * PADDING
}

/// A text that is bounded, printable, and no markup.
fn shown(text: &str) -> String {
    let printable = text.chars().take(2 * LONGEST).filter(|one| !one.is_control());
    printable.collect::<String>().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
