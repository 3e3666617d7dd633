//! Logins that the user keeps in a netrc file, as pip, uv and curl read it.
//!
//! The format: <https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html>; quotes,
//! `\` and comments as in Python's `netrc`, which is what pip asks. No error repeats a word of the
//! file, and nothing here prints one.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::credentials::Credentials;

/// The most that is read of a netrc file, in bytes.
const LARGEST: u64 = 1 << 20;

/// What a netrc file says. Empty by default; prints without its logins.
#[derive(Clone, Default)]
pub struct Netrc {
    path: Option<PathBuf>,
    /// By host, in lower case.
    machines: BTreeMap<String, Credentials>,
    default: Option<Credentials>,
}

impl Netrc {
    /// The file that the environment variable `NETRC` names, else `.netrc` or `_netrc` in the user's
    /// home folder; empty if none of them exists.
    ///
    /// # Errors
    ///
    /// [`NetrcError`] if there is a file that cannot be read or understood, or none that `NETRC`
    /// names.
    pub fn of_user() -> Result<Self, NetrcError> {
        if let Some(path) = std::env::var_os("NETRC").filter(|path| !path.is_empty()) {
            return Self::read(Path::new(&path));
        }
        let Some(home) = std::env::home_dir().filter(|home| home.is_absolute()) else {
            return Ok(Self::default());
        };
        let places = [".netrc", "_netrc"].map(|name| home.join(name));
        places
            .iter()
            .find(|path| path.is_file())
            .map_or_else(|| Ok(Self::default()), |p| Self::read(p))
    }

    /// The file at `path`. Nothing about it is changed.
    ///
    /// # Errors
    ///
    /// [`NetrcError`] if it cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, NetrcError> {
        let unreadable = |source| NetrcError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let malformed = |fault| NetrcError::Malformed { path: path.to_owned(), fault };
        if bytes.len() as u64 > LARGEST {
            return Err(malformed(NetrcFault { line: 1, what: What::TooLarge }));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            malformed(NetrcFault { line: 1 + breaks(&before), what: What::Text })
        })?;
        let netrc: Self = text.parse().map_err(malformed)?;
        Ok(Self { path: Some(path.to_owned()), ..netrc })
    }

    /// Where it was read from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether it has a login for exactly this host.
    pub fn names(&self, host: &str) -> bool {
        self.of(host).is_some()
    }

    /// The login for a host that is named.
    pub(crate) fn of(&self, host: &str) -> Option<&Credentials> {
        self.machines.get(&normal(host))
    }

    /// The login for hosts that are not named.
    pub(crate) fn otherwise(&self) -> Option<&Credentials> {
        self.default.as_ref()
    }
}

impl fmt::Debug for Netrc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Netrc").field("path", &self.path).finish_non_exhaustive()
    }
}

impl FromStr for Netrc {
    type Err = NetrcFault;

    /// Of two logins for one host the later counts, as for pip.
    fn from_str(text: &str) -> Result<Self, NetrcFault> {
        let mut netrc = Self::default();
        let mut words = Words { rest: text.trim_start_matches('\u{feff}'), line: 1 };
        let mut word = words.keyword()?;
        while let Some(keyword) = word {
            let host = match &*keyword {
                "machine" => Some(words.value("machine")?),
                "default" => None,
                "macdef" => {
                    words.value("macdef")?;
                    words.skip_macro();
                    word = words.keyword()?;
                    continue;
                }
                _ => return Err(words.fault(What::TopLevel)),
            };
            let (mut login, mut account, mut password) = (None, None, None);
            word = loop {
                let Some(keyword) = words.keyword()? else { break None };
                match &*keyword {
                    "login" | "user" => login = Some(words.value("login")?),
                    "account" => account = Some(words.value("account")?),
                    "password" => password = Some(words.value("password")?),
                    "machine" | "default" | "macdef" => break Some(keyword),
                    _ => return Err(words.fault(What::Entry)),
                }
            };
            let user = login.filter(|login| !login.is_empty()).or(account);
            if user.is_none() && password.is_none() {
                continue; // nothing to log in with
            }
            let credentials = Credentials::new(user.unwrap_or_default(), password);
            match host {
                Some(host) => _ = netrc.machines.insert(normal(&host), credentials),
                None => netrc.default = Some(credentials),
            }
        }
        Ok(netrc)
    }
}

/// A host as it is compared: in lower case, an address of IPv6 without its brackets.
fn normal(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn breaks(text: &str) -> usize {
    text.matches('\n').count()
}

/// Takes a text apart into words.
struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl Words<'_> {
    /// The next word where a keyword is expected, and where a comment may stand.
    fn keyword(&mut self) -> Result<Option<String>, NetrcFault> {
        loop {
            self.skip_space();
            if !self.rest.starts_with('#') {
                return self.word();
            }
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
        }
    }

    fn value(&mut self, of: &'static str) -> Result<String, NetrcFault> {
        let line = self.line;
        self.skip_space();
        self.word()?.ok_or(NetrcFault { line, what: What::Missing(of) })
    }

    /// The next word; quotes and `\` keep what would end it.
    fn word(&mut self) -> Result<Option<String>, NetrcFault> {
        let line = self.line;
        let quoted = self.rest.starts_with('"');
        let mut word = String::new();
        let mut characters = self.rest.char_indices().skip(usize::from(quoted));
        while let Some((at, character)) = characters.next() {
            let ends = if quoted { character == '"' } else { is_space(character) };
            if ends {
                self.rest = &self.rest[at + usize::from(quoted)..];
                return Ok(Some(word));
            }
            let kept = match character {
                '\\' => characters.next().map(|(_, next)| next),
                character => Some(character),
            };
            self.line += usize::from(kept == Some('\n'));
            word.extend(kept);
        }
        if quoted {
            return Err(NetrcFault { line, what: What::Quote });
        }
        let ended = self.rest.is_empty();
        self.rest = "";
        Ok((!ended).then_some(word))
    }

    fn skip_space(&mut self) {
        let rest = self.rest.trim_start_matches(is_space);
        self.line += breaks(&self.rest[..self.rest.len() - rest.len()]);
        self.rest = rest;
    }

    /// A macro ends at an empty line.
    fn skip_macro(&mut self) {
        let ends = ["\n\n", "\n\r\n"].map(|end| self.rest.find(end).map(|at| at + end.len()));
        let end = ends.into_iter().flatten().min().unwrap_or(self.rest.len());
        self.line += breaks(&self.rest[..end]);
        self.rest = &self.rest[end..];
    }

    /// What is wrong with the word that was just read.
    fn fault(&self, what: What) -> NetrcFault {
        NetrcFault { line: self.line, what }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Why there are no logins from a netrc file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetrcError {
    /// It cannot be read.
    #[error("could not read the netrc file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It cannot be understood.
    #[error("the netrc file `{}` cannot be understood", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        #[source]
        fault: NetrcFault,
    },
}

/// What is wrong with a netrc file, without a word of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct NetrcFault {
    /// The line, from 1.
    line: usize,
    what: What,
}

impl NetrcFault {
    /// The line in which it is, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum What {
    #[error("expected `machine`, `default` or `macdef`")]
    TopLevel,
    #[error(
        "expected `login`, `password`, `account` or the next `machine`; a value with a space in it \
         needs quotes"
    )]
    Entry,
    #[error("nothing stands behind `{0}`")]
    Missing(&'static str),
    #[error("a quote opens here and does not close")]
    Quote,
    #[error("it is not UTF-8 text")]
    Text,
    #[error("it is larger than 1 MiB")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str, host: &str) -> Option<String> {
        let netrc: Netrc = text.parse().unwrap();
        netrc.of(host).or(netrc.otherwise()).map(Credentials::header)
    }

    fn basic((user, password): Login) -> String {
        Credentials::new(user.into(), Some(password.into())).header()
    }

    type Login = (&'static str, &'static str);

    #[test]
    fn logins_are_read_as_pip_reads_them() {
        // (file, host, login), as `netrc.netrc(FILE).authenticators(HOST)` of Python 3.11 has it, but
        // for upper case in hosts, which mean the same.
        let cases: &[(&str, &str, Option<Login>)] = &[
            ("machine h login me password p", "h", Some(("me", "p"))),
            ("machine h\n\tlogin me\n\tpassword p\n", "h", Some(("me", "p"))),
            ("machine h password p login me", "h", Some(("me", "p"))),
            ("machine h user me password p", "h", Some(("me", "p"))),
            ("machine h account me password p", "h", Some(("me", "p"))), // no login: the account
            ("machine h login me", "h", Some(("me", ""))),
            ("machine h password p", "h", Some(("", "p"))),
            ("machine h", "h", None),
            ("machine H login me password p", "h", Some(("me", "p"))),
            ("machine h login me password p", "other", None),
            ("machine h login me password p", "h.evil.example", None),
            ("machine a login x password y default login d password e", "h", Some(("d", "e"))),
            ("machine h login a password b\nmachine h login c password d", "h", Some(("c", "d"))),
            // The next word is the value, whatever it looks like.
            ("machine h login login password machine", "h", Some(("login", "machine"))),
            ("machine h login me password #p", "h", Some(("me", "#p"))),
            ("# a note\nmachine h # more\nlogin me password p #end", "h", Some(("me", "p"))),
            (r#"machine h login "a b" password "p\"q""#, "h", Some(("a b", "p\"q"))),
            (r"machine h login a\ b password \#p", "h", Some(("a b", "#p"))),
            (r#"machine h login me password """#, "h", Some(("me", ""))),
            (
                "macdef init\ncd /x\nlogin y\n\nmachine h login me password p",
                "h",
                Some(("me", "p")),
            ),
            ("machine ::1 login me password p", "[::1]", Some(("me", "p"))),
            ("\u{feff}machine h login é password p", "h", Some(("é", "p"))),
            ("", "h", None),
        ];
        for (text, host, expected) in cases {
            assert_eq!(login(text, host), expected.map(basic), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_told_by_its_line_alone() {
        let why = |text: &str| text.parse::<Netrc>().unwrap_err().to_string();
        insta::assert_snapshot!(why("hunter2"), @"line 1: expected `machine`, `default` or `macdef`");
        insta::assert_snapshot!(why("machine h\nlogin me\npassword pass hunter2\n"), @"line 3: expected `login`, `password`, `account` or the next `machine`; a value with a space in it needs quotes");
        insta::assert_snapshot!(why("machine h\n\n login me password"), @"line 3: nothing stands behind `password`");
        insta::assert_snapshot!(why("machine"), @"line 1: nothing stands behind `machine`");
        insta::assert_snapshot!(why("machine h\nlogin me password \"hunter2\nmachine x"), @"line 2: a quote opens here and does not close");
        insta::assert_snapshot!(why("macdef x\na\n\nhunter2"), @"line 4: expected `machine`, `default` or `macdef`");
    }

    #[test]
    fn a_file_is_read_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("netrc");
        let say = |error: NetrcError| {
            let source = std::error::Error::source(&error).unwrap().to_string();
            let here = folder.path().display().to_string();
            format!("{error}: {source}").replace(&here, "[HERE]")
        };
        insta::assert_snapshot!(say(Netrc::read(&path).unwrap_err()), @"could not read the netrc file `[HERE]/netrc`: No such file or directory (os error 2)");
        std::fs::write(&path, b"machine h\nlogin \xff password hunter2").unwrap();
        insta::assert_snapshot!(say(Netrc::read(&path).unwrap_err()), @"the netrc file `[HERE]/netrc` cannot be understood: line 2: it is not UTF-8 text");
        std::fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
        insta::assert_snapshot!(say(Netrc::read(&path).unwrap_err()), @"the netrc file `[HERE]/netrc` cannot be understood: line 1: it is larger than 1 MiB");
        std::fs::write(&path, "machine h login me password hunter2").unwrap();
        let before = std::fs::metadata(&path).unwrap().permissions();
        let netrc = Netrc::read(&path).unwrap();
        assert!(netrc.names("h") && !netrc.names("x"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions(), before);
        assert!(!format!("{netrc:?}").contains("hunter2"));
    }
}
