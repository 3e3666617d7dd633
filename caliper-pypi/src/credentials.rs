//! A user name and a password, and the header that sends them.

use std::fmt;

use base64::Engine as _;
use percent_encoding::percent_decode_str;
use url::Url;

/// A user name and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Option<Vec<u8>>,
}

impl Credentials {
    pub(crate) fn new(user: String, password: Option<String>) -> Self {
        Self { user: user.into_bytes(), password: password.map(String::into_bytes) }
    }

    /// Takes the credentials out of `url`, if it has any.
    pub(crate) fn take_from(url: &mut Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let user = percent_decode_str(url.username()).collect();
        let password = url.password().map(|password| percent_decode_str(password).collect());
        // Neither can fail: a URL without a host has no credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Some(Self { user, password })
    }

    /// The value of the `Authorization` header ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
    pub(crate) fn header(&self) -> String {
        let password = self.password.as_deref().unwrap_or_default();
        let pair = [self.user.as_slice(), b":", password].concat();
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(..)")
    }
}
