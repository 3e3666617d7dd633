//! Literals in the source of a Python program, read without running it.
//!
//! Texts, lists, tuples and dictionaries are understood, with comments and line breaks between them, and names of the
//! same file to which such a literal is assigned. Everything else is computed, and is not read.

/// A value that is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::analysis) enum Literal {
    /// A text.
    Text(String),
    /// A list or a tuple. What is computed in it is left out, and makes it incomplete.
    List {
        /// What is written out.
        items: Vec<Literal>,
        /// Whether that is all.
        is_whole: bool,
    },
    /// A dictionary with texts as keys.
    Table(Vec<(String, Literal)>),
}

impl Literal {
    /// The texts in it, if it is a text or a list.
    pub(in crate::analysis) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List { items, .. } => {
                let text = |item: &'_ Self| matches!(item, Self::Text(_));
                items.iter().filter(|item| text(item)).flat_map(Self::texts).collect()
            }
            Self::Table(_) => Vec::new(),
        }
    }
}

/// The values that follow `key`: a keyword argument, an entry of a dictionary, or an assignment. `None` for each that
/// is computed.
pub(in crate::analysis) fn values_of(source: &str, key: &str) -> Vec<Option<Literal>> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let places = source.match_indices(key).filter(|(at, _)| {
        let before = source[..*at].chars().next_back();
        let line = source[..*at].rsplit('\n').next().unwrap_or_default();
        !before.is_some_and(is_word) && !line.trim_start().starts_with('#')
    });
    let value = |(at, _): (usize, &str)| {
        let rest = source[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        let rest = match rest.strip_prefix(':') {
            Some(rest) => rest,
            None => rest.strip_prefix('=').filter(|rest| !rest.starts_with('='))?,
        };
        Some(Reader { source, rest, names: 0, depth: 0 }.value())
    };
    places.filter_map(value).take(MOST_PLACES).collect()
}

/// The arguments of each call of `function`, up to the first that is computed or named.
pub(in crate::analysis) fn calls_of(source: &str, function: &str) -> Vec<Vec<String>> {
    let starts = source.match_indices(function).filter_map(|(at, _)| {
        let line = source[..at].rsplit('\n').next().unwrap_or_default();
        let rest = source[at + function.len()..].strip_prefix('(')?;
        (!line.trim_start().starts_with('#')).then_some(rest)
    });
    let arguments = |rest| {
        let mut reader = Reader { source, rest, names: MOST_NAMES, depth: 0 };
        let mut texts = Vec::new();
        while let Some(Literal::Text(text)) = reader.value() {
            texts.push(text);
            reader.skip();
            match reader.rest.strip_prefix(',') {
                Some(rest) => reader.rest = rest,
                None => break,
            }
            reader.skip();
        }
        texts
    };
    starts.take(MOST_PLACES).map(arguments).collect()
}

/// In how many places a key or a call is read; each may be as long as the file.
const MOST_PLACES: usize = 50;

/// How many names are looked up behind each other. A name may stand for itself.
const MOST_NAMES: usize = 3;

/// How deep lists may be within each other.
const DEEPEST: usize = 8;

struct Reader<'a> {
    source: &'a str,
    rest: &'a str,
    names: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Goes past blanks, line breaks and comments.
    fn skip(&mut self) {
        loop {
            self.rest =
                self.rest.trim_start_matches(|one: char| one.is_whitespace() || one == '\\');
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => return,
            }
        }
    }

    /// The value that stands here; `None` if it is computed.
    fn value(&mut self) -> Option<Literal> {
        self.skip();
        if self.depth > DEEPEST {
            return None;
        }
        self.depth += 1;
        let value = match self.rest.chars().next()? {
            '[' => self.list(']'),
            '(' => self.list(')'),
            '{' => self.table(),
            '"' | '\'' => self.text(),
            first if first.is_alphabetic() || first == '_' => {
                // A prefix of a text; what stands in an `f` text is computed.
                let end = self.rest.find(['"', '\'']).unwrap_or(usize::MAX);
                match self.rest.get(..end).map(str::to_lowercase).as_deref() {
                    Some("r" | "u") => {
                        self.rest = &self.rest[end..];
                        self.text()
                    }
                    _ => self.named(),
                }
            }
            _ => None,
        };
        self.depth -= 1;
        // `[…] + more` is not what stands here.
        self.skip();
        let ends = self.rest.is_empty() || self.rest.starts_with([',', ']', ')', '}', ':', ';']);
        let goes_on = self
            .rest
            .starts_with(['+', '*', '%', '.', '[', '(', '|', '/', '-', '&', '@', '<', '>', '=']);
        (ends || !goes_on).then_some(value)?
    }

    /// One text, or several that stand behind each other.
    fn text(&mut self) -> Option<Literal> {
        let mut text = String::new();
        loop {
            let quote = self.rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
            let triple: String = std::iter::repeat_n(quote, 3).collect();
            let end = if self.rest.starts_with(&triple) { triple } else { quote.to_string() };
            self.rest = &self.rest[end.len()..];
            loop {
                if let Some(rest) = self.rest.strip_prefix(end.as_str()) {
                    self.rest = rest;
                    break;
                }
                let mut characters = self.rest.chars();
                match characters.next()? {
                    '\\' => text.push(match characters.next()? {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    }),
                    '\n' if end.len() == 1 => return None,
                    other => text.push(other),
                }
                self.rest = characters.as_str();
            }
            // Only within brackets does a text on the next line belong to this one; outside of them none follows.
            self.skip();
            if !self.rest.starts_with(['"', '\'']) {
                return Some(Literal::Text(text));
            }
        }
    }

    fn list(&mut self, end: char) -> Option<Literal> {
        self.rest = &self.rest[1..];
        let (mut items, mut is_whole, mut is_tuple) = (Vec::new(), true, end == ']');
        loop {
            self.skip();
            if let Some(rest) = self.rest.strip_prefix(end) {
                self.rest = rest;
                break;
            }
            if let Some(item) = self.value() {
                items.push(item);
            } else {
                is_whole = false;
                self.leave()?;
            }
            self.skip();
            if let Some(rest) = self.rest.strip_prefix(',') {
                (self.rest, is_tuple) = (rest, true);
            } else if !self.rest.starts_with(end) {
                return None;
            }
        }
        match items.as_slice() {
            // Parentheses alone make no tuple.
            [one] if !is_tuple => Some(one.clone()),
            _ => Some(Literal::List { items, is_whole }),
        }
    }

    fn table(&mut self) -> Option<Literal> {
        self.rest = &self.rest[1..];
        let mut entries = Vec::new();
        loop {
            self.skip();
            if let Some(rest) = self.rest.strip_prefix('}') {
                self.rest = rest;
                return Some(Literal::Table(entries));
            }
            let key = self.value();
            self.skip();
            if let (Some(Literal::Text(key)), Some(rest)) = (key, self.rest.strip_prefix(':')) {
                self.rest = rest;
                match self.value() {
                    Some(value) => entries.push((key, value)),
                    None => self.leave()?,
                }
            } else {
                self.leave()?;
            }
            self.skip();
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
            } else if !self.rest.starts_with('}') {
                return None;
            }
        }
    }

    /// What is assigned to the name that stands here, at the beginning of a line of this file.
    fn named(&mut self) -> Option<Literal> {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let end = self.rest.find(|one| !is_word(one)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if self.names >= MOST_NAMES {
            return None;
        }
        let assigned = |line: &'a str| {
            let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
            (!value.starts_with('=')).then_some(value)
        };
        let mut starts = self.source.match_indices('\n').map(|(at, _)| at + 1);
        let value = std::iter::once(0)
            .chain(&mut starts)
            .find_map(|start| assigned(&self.source[start..]))?;
        Reader { source: self.source, rest: value, names: self.names + 1, depth: self.depth }
            .value()
    }

    /// Goes past what is computed, to the comma or bracket behind it.
    fn leave(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.rest.chars().next()? {
                '"' | '\'' => {
                    self.text()?;
                    continue;
                }
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' | ',' if open == 0 => return Some(()),
                ')' | ']' | '}' => open -= 1,
                '#' => {
                    self.skip();
                    continue;
                }
                _ => {}
            }
            let mut characters = self.rest.chars();
            characters.next();
            self.rest = characters.as_str();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let values = values_of(source, "install_requires");
        let texts = values.iter().flatten().flat_map(Literal::texts);
        texts.map(str::to_owned).collect()
    }

    #[test]
    fn what_is_written_out_is_read_and_nothing_else() {
        let cases: &[(&str, &[&str])] = &[
            ("setup(install_requires=['a>=1', \"b; x > '3'\"],)", &["a>=1", "b; x > '3'"]),
            ("setup(install_requires = [  # why, with ] and '\n 'a',\n])", &["a"]),
            ("setup(**{'install_requires': ['a', ]})", &["a"]),
            ("setup(install_requires='a\\nb')", &["a\nb"]),
            ("setup(install_requires=('a' '>=1', r'b'))", &["a>=1", "b"]),
            ("setup(install_requires=('a'))", &["a"]),
            ("NEEDS = [\n  'a',\n]\nsetup(install_requires=NEEDS)", &["a"]),
            ("setup(install_requires=['a', f'{x}', g('z', ['y']), 'b'])", &["a", "b"]),
            // What is added is not known.
            ("setup(install_requires=['a'] + more)", &[]),
            ("setup(install_requires=read('requirements.txt'))", &[]),
            ("NEEDS = NEEDS\nsetup(install_requires=NEEDS)", &[]),
            ("# install_requires=['a']", &[]),
            ("my_install_requires=['a']", &[]),
            ("install_requires == ['a']", &[]),
            ("install_requires=['a", &[]),
            ("install_requires=", &[]),
            ("install_requires", &[]),
        ];
        for (source, expected) in cases {
            assert_eq!(texts(source), *expected, "{source}");
        }
        let deep = format!("install_requires={}", "[".repeat(100_000));
        assert_eq!(texts(&deep), Vec::<String>::new());
        let source =
            "session.run('pytest', \"-q\", *session.posargs)\n# session.run('x')\nsession.run(*y)";
        assert_eq!(calls_of(source, "session.run"), [vec!["pytest", "-q"], Vec::new()]);
    }

    proptest! {
        #[test]
        fn any_source_is_read_or_not(source in "(install_requires=|[\\[\\](){}'\",:#a\\\\\n =é])*") {
            let _ = values_of(&source, "install_requires");
            let _ = calls_of(&source, "a");
        }
    }
}
