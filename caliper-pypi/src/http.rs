//! Requests that survive an unreliable network: limits on time and size, bounded retries, credentials that reach
//! their own host only and no text at all.

mod error;
mod logins;
mod notice;
mod options;
mod proxies;

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use url::Url;

use crate::credentials::Credentials;
pub use error::RequestError;
use logins::Logins;
pub use notice::{Notice, Notices};
pub use options::ClientOptions;
use proxies::Proxies;

/// The first wait before a retry; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// No wait that we choose ourselves is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How many redirects lead to one answer at most; as many as pip's client and browsers follow, more
/// or less.
const MOST_REDIRECTS: usize = 10;

/// Makes requests.
#[derive(Debug)]
pub(crate) struct Http {
    agent: ureq::Agent,
    retries: u32,
    longest_retry_after: Duration,
    notices: Notices,
    logins: Logins,
    proxies: Proxies,
}

/// The head of an answer, with its body still to be read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Where the answer came from in the end, behind all redirects.
    pub(crate) url: Url,
    response: ureq::http::Response<ureq::Body>,
}

impl Answer {
    /// A header's value, if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn headers(&self) -> &ureq::http::HeaderMap {
        self.response.headers()
    }

    /// Reads the whole body.
    pub(crate) fn read(self, limit: u64) -> Result<Vec<u8>, RequestError> {
        let address = shown(&self.url);
        let declared = self.response.body().content_length();
        if declared.is_some_and(|declared| declared > limit) {
            return Err(RequestError::TooLarge { url: address, limit });
        }
        let mut bytes = Vec::new();
        // The limit counts what comes out of decompression.
        let mut reader = self.into_reader().take(limit + 1);
        if let Err(error) = reader.read_to_end(&mut bytes) {
            return Err(RequestError::in_body(address, error, bytes.len() as u64, declared));
        }
        if bytes.len() as u64 > limit {
            return Err(RequestError::TooLarge { url: address, limit });
        }
        Ok(bytes)
    }

    /// The body as a stream, for a caller that keeps its own limit.
    pub(crate) fn into_reader(self) -> impl std::io::Read {
        self.response.into_body().into_with_config().limit(u64::MAX).reader()
    }
}

impl Http {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        let tls = ureq::tls::TlsConfig::builder()
            .provider(ureq::tls::TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(roots());
        let agent = ureq::Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(options.connect_timeout))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.answer_timeout))
            .timeout_per_read(Some(options.answer_timeout))
            .user_agent(concat!("caliper/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self {
            agent,
            retries: options.retries,
            longest_retry_after: options.longest_retry_after,
            notices: options.notices.clone(),
            logins: Logins::new(options.netrc.clone()),
            proxies: Proxies::of_environment(),
        }
    }

    /// Takes note of an address that the user gave.
    pub(crate) fn name(&self, url: &Url) {
        self.logins.name(url);
    }

    /// Sends these credentials with every later request to the host of `url`.
    pub(crate) fn remember(&self, url: &Url, credentials: Credentials) {
        self.logins.remember(url, credentials);
    }

    pub(crate) fn notify(&self, notice: &Notice) {
        self.notices.send(notice);
    }

    /// One request and the redirects behind it, without a look at the status of the answer.
    ///
    /// Redirects are followed here, since only here it is known which host gets which credentials.
    pub(crate) fn get(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        deadline: Instant,
    ) -> Result<Answer, RequestError> {
        let start = url.origin();
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let credentials = self.logins.of(&url, &start);
            let answer = self.get_once(url, credentials.as_ref(), headers, deadline)?;
            let location = match answer.status {
                301 | 302 | 303 | 307 | 308 => answer.header("location"),
                _ => None,
            };
            let Some(location) = location else { return Ok(answer) };
            let next = answer.url.join(location.trim()).ok();
            let on_the_web = |next: &Url| matches!(next.scheme(), "http" | "https");
            let Some(mut next) = next.filter(on_the_web) else {
                return Err(RequestError::BadRedirect { url: shown(&answer.url) });
            };
            if let Some(credentials) = Credentials::take_from(&mut next) {
                self.remember(&next, credentials);
            }
            url = next;
        }
        Err(RequestError::Redirects { url: shown(&url) })
    }

    fn get_once(
        &self,
        url: Url,
        credentials: Option<&Credentials>,
        headers: &[(&str, &str)],
        deadline: Instant,
    ) -> Result<Answer, RequestError> {
        let mut request = self.agent.get(url.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(credentials) = credentials {
            request = request.header("Authorization", credentials.header());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let config = request.config().timeout_global(Some(left.max(Duration::from_millis(1))));
        let config = config.proxy(self.proxies.of(&url)?);
        match config.build().call() {
            Ok(response) => Ok(Answer { status: response.status().as_u16(), url, response }),
            Err(error) => Err(RequestError::before_body(shown(&url), error)),
        }
    }

    /// The answer, or the error that its status stands for. `accepted` statuses are answers.
    pub(crate) fn get_ok(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        accepted: &[u16],
        deadline: Instant,
    ) -> Result<Answer, RequestError> {
        let answer = self.get(url, headers, deadline)?;
        // Of those that mean success, only these two have the whole of what was asked for.
        if matches!(answer.status, 200 | 203) || accepted.contains(&answer.status) {
            return Ok(answer);
        }
        let retry_after = answer.header("retry-after").and_then(|text| retry_after(text.trim()));
        let url = shown(&answer.url);
        Err(match (answer.status, retry_after) {
            (429, _) | (503, Some(_)) => {
                RequestError::RateLimited { url, status: answer.status, retry_after }
            }
            (status, _) => RequestError::Status { url, status },
        })
    }

    /// Does `attempt` until it succeeds, fails for good, has failed too often, or `deadline` is near.
    ///
    /// The attempt is handed the number of failures so far, and may take it back to zero when it
    /// made progress.
    pub(crate) fn with_retries<T>(
        &self,
        deadline: Instant,
        mut attempt: impl FnMut(&mut u32) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let mut failures = 0;
        loop {
            let error = match attempt(&mut failures) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let Some(wait) = self.wait_after(&error, failures) else {
                return Err(error);
            };
            if wait >= deadline.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            failures += 1;
            self.notify(&Notice::Retrying {
                attempt: failures,
                of: self.retries,
                wait,
                reason: error.to_string(),
            });
            std::thread::sleep(wait);
        }
    }

    fn wait_after(&self, error: &RequestError, failures: u32) -> Option<Duration> {
        if failures >= self.retries || !error.is_passing() {
            return None;
        }
        if let RequestError::RateLimited { retry_after: Some(wait), .. } = error {
            return (*wait <= self.longest_retry_after).then_some(*wait);
        }
        let wait = FIRST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT);
        // Jitter keeps many clients that failed together from coming back together.
        Some(wait.mul_f64(0.5 + fastrand::f64()))
    }
}

/// The certificates to trust: those of the operating system, or of `SSL_CERT_FILE`.
///
/// The platform verifier reads `SSL_CERT_FILE` and `SSL_CERT_DIR` on Unixes without a certificate
/// service of their own; elsewhere the file must be read here.
fn roots() -> ureq::tls::RootCerts {
    use ureq::tls::{PemItem, RootCerts, parse_pem};

    let service = cfg!(any(target_os = "macos", target_os = "ios", windows));
    let file = std::env::var_os("SSL_CERT_FILE").filter(|path| service && !path.is_empty());
    let Some(pem) = file.and_then(|path| std::fs::read(path).ok()) else {
        return RootCerts::PlatformVerifier;
    };
    let certificates = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    RootCerts::Specific(Arc::new(certificates.collect()))
}

/// Reads `Retry-After`: seconds, or a date
/// ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
fn retry_after(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for `u64` is also longer than any wait.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// An address as it may stand in an error: without credentials, and without a query, which may hold
/// a signature.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = Credentials::take_from(&mut url);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert!(retry_after("Tue, 31 Dec 2199 23:59:59 GMT") > Some(Duration::from_secs(1)));
        assert_eq!(retry_after("99999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        for text in ["soon", "", "-1", "1.5"] {
            assert_eq!(retry_after(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let url = "https://me:secret@host.example/a?signature=secret#secret".parse().unwrap();
        assert_eq!(shown(&url), "https://host.example/a");
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        let http = Http::new(&ClientOptions { retries: 20, ..ClientOptions::default() });
        let error = RequestError::Status { url: String::new(), status: 503 };
        for failures in 0..20 {
            let wait = http.wait_after(&error, failures).unwrap();
            assert!(wait >= FIRST_WAIT / 2 && wait <= LONGEST_WAIT.mul_f64(1.5), "{wait:?}");
        }
        assert_eq!(http.wait_after(&error, 20), None);
        let limited = |seconds| RequestError::RateLimited {
            url: String::new(),
            status: 429,
            retry_after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(http.wait_after(&limited(3), 0), Some(Duration::from_secs(3)));
        assert_eq!(http.wait_after(&limited(3600), 0), None); // longer than `longest_retry_after`
        let gone = RequestError::Status { url: String::new(), status: 410 };
        assert_eq!(http.wait_after(&gone, 0), None);
    }
}
