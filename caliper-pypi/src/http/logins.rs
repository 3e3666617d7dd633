//! Which request is sent with which credentials.

use std::sync::{Mutex, PoisonError};

use url::{Origin, Url};

use crate::credentials::Credentials;
use crate::netrc::Netrc;

/// All the credentials that a client knows.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// Those that stood in addresses, and the address that they stood in.
    addresses: Mutex<Vec<(Url, Credentials)>>,
    netrc: Netrc,
    /// The hosts that the user named, which alone get a netrc file's `default`.
    named: Mutex<Vec<Origin>>,
}

impl Logins {
    pub(super) fn new(netrc: Netrc) -> Self {
        Self { netrc, ..Self::default() }
    }

    /// An address that the user gave.
    pub(super) fn name(&self, url: &Url) {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).push(url.origin());
    }

    /// Credentials that stood in `url`.
    pub(super) fn remember(&self, url: &Url, credentials: Credentials) {
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|(address, _)| address == url) {
            known.push((url.clone(), credentials));
        }
    }

    /// What a request of `url` gets, which a redirect from `start` led to.
    ///
    /// What stood in an address goes to the same scheme, host and port only, and comes before what a
    /// netrc file says. A netrc file knows hosts alone: a redirect to anywhere else carries nothing of
    /// it.
    pub(super) fn of(&self, url: &Url, start: &Origin) -> Option<Credentials> {
        let origin = url.origin();
        let of_file = (origin == *start).then(|| self.of_file(url, &origin)).flatten();
        let known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let here = known.iter().filter(|(address, _)| address.origin() == origin);
        // Two indexes on one host may have a password each. Of equals the first that was remembered.
        let nearest = here.rev().max_by_key(|(address, _)| shared_folders(address, url));
        match (nearest, of_file) {
            // A user name without a password: the password is looked up.
            (Some((_, Credentials { user, password: None })), Some(of_file))
                if *user == of_file.user =>
            {
                Some(of_file.clone())
            }
            (Some((_, credentials)), _) => Some(credentials.clone()),
            (None, of_file) => of_file.cloned(),
        }
    }

    fn of_file(&self, url: &Url, origin: &Origin) -> Option<&Credentials> {
        self.netrc.of(url.host_str()?).or_else(|| {
            let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            named.contains(origin).then(|| self.netrc.otherwise()).flatten()
        })
    }
}

/// How many folders two addresses have in common, from the root.
fn shared_folders(a: &Url, b: &Url) -> usize {
    let folders = |url: &'_ Url| url.path().split('/').map(str::to_owned).collect::<Vec<_>>();
    folders(a).iter().zip(&folders(b)).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a request of the second address gets, which one of the first led to.
    fn login(logins: &Logins, start: &str, url: &str) -> Option<String> {
        let url: Url = url.parse().unwrap();
        let start: Url = start.parse().unwrap();
        let credentials = logins.of(&url, &start.origin())?;
        let password = credentials.password.unwrap_or_default();
        Some(String::from_utf8([credentials.user, password].join(&b':')).unwrap())
    }

    fn logins(netrc: &str, addresses: &[&str]) -> Logins {
        let logins = Logins::new(netrc.parse().unwrap());
        for address in addresses {
            let mut url: Url = address.parse().unwrap();
            let credentials = Credentials::take_from(&mut url);
            logins.name(&url);
            if let Some(credentials) = credentials {
                logins.remember(&url, credentials);
            }
        }
        logins
    }

    #[test]
    fn an_address_comes_before_the_netrc_file() {
        let known = logins("machine h login n password o", &["https://me:p@h/simple/"]);
        assert_eq!(login(&known, "https://h/", "https://h/simple/x/").unwrap(), "me:p");
        assert_eq!(login(&known, "https://h:8/", "https://h:8/").unwrap(), "n:o");
        let known = logins("machine h login me password o", &["https://me@h/simple/"]);
        assert_eq!(login(&known, "https://h/", "https://h/simple/x/").unwrap(), "me:o");
        let known = logins("machine h login n password o", &["https://me@h/simple/"]);
        assert_eq!(login(&known, "https://h/", "https://h/simple/x/").unwrap(), "me:");
    }

    #[test]
    fn a_redirect_carries_nothing_of_the_netrc_file_elsewhere() {
        let file =
            "machine h login n password o machine i login q password r default login d password e";
        let known = logins(file, &["https://h/simple/", "https://j/simple/"]);
        let say = |start, url| login(&known, start, url);
        assert_eq!(say("https://h/", "https://h/x").unwrap(), "n:o");
        assert_eq!(say("https://i/", "https://i/x").unwrap(), "q:r"); // a host of files
        assert_eq!(say("https://h/", "https://i/x"), None);
        assert_eq!(say("https://h/", "http://h/x"), None); // the password would be read on the way
        assert_eq!(say("https://h/", "https://h:8/x"), None);
        assert_eq!(say("https://j/", "https://j/x").unwrap(), "d:e");
        assert_eq!(say("https://k/", "https://k/x"), None); // no address or entry names it
        assert_eq!(say("https://h/", "https://j/x"), None);
    }

    #[test]
    fn two_indexes_on_one_host_have_a_password_each() {
        let known = logins("", &["https://a:1@h/one/simple/", "https://b:2@h/two/simple/"]);
        let say = |url| login(&known, "https://h/", url).unwrap();
        assert_eq!(say("https://h/one/simple/demo/"), "a:1");
        assert_eq!(say("https://h/two/simple/demo/"), "b:2");
        assert_eq!(say("https://h/two/files/demo.whl"), "b:2");
        assert_eq!(say("https://h/files/demo.whl"), "a:1");
    }
}
