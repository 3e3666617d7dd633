use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::credentials::Credentials;

/// The index that Python installers ask unless they are told another.
pub const DEFAULT_INDEX: &str = "https://pypi.org/simple/";

/// The address of a package index: the folder that holds one page for each project.
///
/// Credentials in the address are kept apart: it prints without them.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexAddress {
    url: Url,
    credentials: Option<Credentials>,
}

impl IndexAddress {
    /// The address without credentials, with a `/` at the end.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Whether the address came with a name or a password for the index.
    pub(crate) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

impl Default for IndexAddress {
    /// [`DEFAULT_INDEX`].
    fn default() -> Self {
        match DEFAULT_INDEX.parse() {
            Ok(address) => address,
            Err(error) => unreachable!("{error}"),
        }
    }
}

impl FromStr for IndexAddress {
    type Err = ParseIndexAddressError;

    /// Accepts `http` and `https`, with `user:password@` in front of the host if the index asks for
    /// it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text itself may hold a password, so an error never repeats it.
        let mut url: Url = text.trim().parse().map_err(|_| ParseIndexAddressError::NotUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(ParseIndexAddressError::Scheme);
        }
        let credentials = Credentials::take_from(&mut url);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self { url, credentials })
    }
}

impl fmt::Display for IndexAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for IndexAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("IndexAddress").field(&self.as_str()).finish()
    }
}

/// Why a text is not the address of an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIndexAddressError {
    /// It is not a URL at all.
    #[error("the address of the index is not a URL: write `https://host/path/`")]
    NotUrl,
    /// It is not one of the web.
    #[error("the address of the index does not start with `https://` or `http://`")]
    Scheme,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_kept_apart() {
        let address: IndexAddress = "https://me:s%40fe@index.example/simple".parse().unwrap();
        assert_eq!(address.to_string(), "https://index.example/simple/");
        assert_eq!(format!("{address:?}"), "IndexAddress(\"https://index.example/simple/\")");
        let credentials = address.credentials().unwrap();
        assert_eq!(credentials.header(), "Basic bWU6c0BmZQ==");
        assert_eq!(format!("{credentials:?}"), "Credentials(..)");
    }

    #[test]
    fn the_default_is_an_address() {
        assert_eq!(IndexAddress::default().as_str(), DEFAULT_INDEX);
    }

    #[test]
    fn what_is_not_an_address_says_why() {
        let why = |text: &str| text.parse::<IndexAddress>().unwrap_err().to_string();
        insta::assert_snapshot!(why("me:secret@host"), @"the address of the index does not start with `https://` or `http://`");
        insta::assert_snapshot!(why("//host/simple"), @"the address of the index is not a URL: write `https://host/path/`");
        insta::assert_snapshot!(why("file:///tmp"), @"the address of the index does not start with `https://` or `http://`");
    }
}
