//! How long an answer may be used again without asking the index
//! ([RFC 9111](https://www.rfc-editor.org/rfc/rfc9111)).
//!
//! The rules are those of the `http-cache-semantics` crate for a private cache. We keep the headers that these
//! rules read and apply them anew each time: a later release of Caliper may know the rules better.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_cache_semantics::{CacheOptions, CachePolicy};
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, Request, Response};

/// The headers that decide how long an answer holds, and those that ask whether it still does.
const KEPT: [&str; 8] =
    ["age", "cache-control", "date", "etag", "expires", "last-modified", "pragma", "vary"];
/// Headers of one exchange: those of an older one must not stay when an answer is confirmed.
const OF_ONE_EXCHANGE: [&str; 2] = ["age", "date"];
/// The longest time that an answer is used without asking, whatever the server allows.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The headers of an answer that caching depends on, and when they arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Freshness {
    /// In seconds since 1970.
    received: u64,
    headers: BTreeMap<String, String>,
}

impl Freshness {
    pub(super) fn of(headers: &HeaderMap, now: SystemTime) -> Self {
        let mut freshness = Self::default();
        freshness.confirm(headers, now);
        freshness
    }

    /// Takes the headers of a 304 answer: each replaces the one of the same name
    /// ([RFC 9111, 3.2](https://www.rfc-editor.org/rfc/rfc9111#section-3.2)).
    pub(super) fn confirm(&mut self, headers: &HeaderMap, now: SystemTime) {
        self.received = now.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        for name in OF_ONE_EXCHANGE {
            self.headers.remove(name);
        }
        for name in KEPT {
            let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            let lines: Vec<&str> = lines.collect();
            if !lines.is_empty() {
                self.headers.insert(name.to_owned(), lines.join(", "));
            }
        }
    }

    /// The headers that ask the index whether the answer has changed.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")]
            .into_iter()
            .filter_map(|(condition, validator)| Some((condition, self.header(validator)?)))
    }

    /// Whether the answer may be kept at all.
    pub(super) fn may_be_kept(&self) -> bool {
        self.policy(Duration::ZERO).is_some_and(|policy| policy.is_storable())
    }

    /// Whether the answer holds at `now`. An index that does not say how long counts as if it had said
    /// `assumed` ([RFC 9111, 4.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.2)).
    pub(super) fn is_fresh(&self, assumed: Duration, now: SystemTime) -> bool {
        // After a clock was set back, `now` may lie before the arrival: such an answer is not fresh, or
        // it would hold until the clock has caught up.
        let Some(since) = self.received().and_then(|received| now.duration_since(received).ok())
        else {
            return false;
        };
        since < LONGEST && self.policy(assumed).is_some_and(|policy| !policy.is_stale(now))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn received(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.received))
    }

    /// The rules for these headers; `None` for a file that no Caliper wrote.
    fn policy(&self, assumed: Duration) -> Option<CachePolicy> {
        let mut response = Response::builder();
        for (name, value) in &self.headers {
            response = match name.as_str() {
                "age" => response.header(name, age(value)),
                "cache-control" => continue,
                _ => response.header(name, value),
            };
        }
        if let Some(directives) = self.cache_control(assumed) {
            response = response.header("cache-control", directives);
        }
        let options = CacheOptions {
            shared: false,
            // `assumed` replaces the guess from the date of the last change.
            cache_heuristic: 0.0,
            ..CacheOptions::default()
        };
        let (request, response) = (Request::new(()), response.body(()).ok()?);
        Some(CachePolicy::new_options(&request, &response, self.received()?, options))
    }

    /// The `Cache-Control` header, with `assumed` as its `max-age` where no header gives a lifetime.
    ///
    /// As a directive the assumption obeys the same rules as a server's own: `no-cache` and `Vary: *`
    /// still win.
    fn cache_control(&self, assumed: Duration) -> Option<String> {
        // Names of directives are case-insensitive; the crate compares them as they are.
        let said = self.header("cache-control").map(str::to_ascii_lowercase);
        // The older form counts where the newer one is absent (RFC 9111, 5.4).
        let pragma = said.is_none() && self.header("pragma").is_some();
        let lifetime = said.as_deref().is_some_and(|said| said.contains("max-age"));
        if lifetime || pragma || self.header("expires").is_some() {
            return said;
        }
        let assumed = format!("max-age={}", assumed.as_secs());
        Some(said.map_or_else(|| assumed.clone(), |said| format!("{said}, {assumed}")))
    }
}

/// An `Age` header as a number that the crate can add to: a sum beyond what a duration holds panics.
fn age(text: &str) -> String {
    text.trim().parse::<u64>().unwrap_or(0).min(u64::from(u32::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSUMED: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> SystemTime {
        // Sun, 06 Nov 1994 08:49:37 GMT, and so many seconds.
        UNIX_EPOCH + Duration::from_secs(784_111_777 + seconds)
    }

    fn headers(text: &str) -> HeaderMap {
        let pair = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            let name: ureq::http::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        };
        text.lines().map(pair).collect()
    }

    /// For how many seconds an answer with these headers holds.
    fn holds(text: &str) -> u64 {
        let freshness = Freshness::of(&headers(text), at(0));
        let fresh = |after: u64| freshness.is_fresh(ASSUMED, at(after));
        let (mut low, mut high) = (0, 200_000);
        while low < high {
            let middle = u64::midpoint(low, high);
            if fresh(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }

    #[test]
    fn an_answer_holds_for_as_long_as_its_headers_say() {
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
        let expires = "Expires: Sun, 06 Nov 1994 08:59:37 GMT";
        let cases: &[(&str, u64)] = &[
            ("Cache-Control: max-age=600, public", 600),
            ("Cache-Control: Max-Age=600", 600), // names of directives have no case
            ("Cache-Control: max-age=\"600\"", 600),
            ("Cache-Control: max-age=600\nAge: 500", 100),
            ("Cache-Control: max-age=600\nAge: 18446744073709551615", 0),
            ("Cache-Control: max-age=600\nAge: soon", 600),
            ("Cache-Control: max-age=600, no-cache", 0),
            ("Cache-Control: max-age=600\nCache-Control: no-cache", 0), // two lines are one list
            ("Cache-Control: max-age=600, private", 600),               // this cache is private
            ("Cache-Control: s-maxage=600", 60),                        // for shared caches only
            ("Cache-Control: max-age=soon", 0),
            ("Cache-Control: max-age=99999999999", 86_400),
            ("Cache-Control: max-age=600\nVary: *", 0),
            ("Cache-Control: max-age=600\nVary: Accept", 600),
            (&format!("{date}\n{expires}"), 600),
            (&format!("{date}\n{expires}\nAge: 100"), 500),
            (expires, 600), // without a date of the server the time of arrival counts
            (&format!("{expires}\nCache-Control: max-age=30"), 30), // `max-age` comes first
            (&format!("{expires}\nCache-Control: no-cache"), 0),
            ("Expires: Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("Expires: 0", 0), // not a date means: expired
            ("Expires: -1", 0),
            ("Pragma: no-cache", 0),
            ("Pragma: no-cache\nCache-Control: max-age=600", 600),
            ("Last-Modified: Sun, 06 Nov 1990 08:49:37 GMT", 60), // no guess from the last change
            ("Cache-Control: public", 60),
            ("", 60),
        ];
        for (text, seconds) in cases {
            assert_eq!(holds(text), *seconds, "{text}");
        }
    }

    #[test]
    fn no_store_is_not_kept() {
        let kept = |text| Freshness::of(&headers(text), at(0)).may_be_kept();
        assert!(kept(""));
        assert!(kept("Cache-Control: private"));
        assert!(kept("Cache-Control: no-cache")); // to be asked about each time
        assert!(!kept("Cache-Control: no-store"));
        assert!(!kept("Cache-Control: max-age=600, No-Store"));
    }

    #[test]
    fn a_confirmed_answer_keeps_what_the_confirmation_does_not_replace() {
        let first = "Cache-Control: max-age=600\nETag: \"one\"\nAge: 590";
        let mut freshness = Freshness::of(&headers(first), at(0));
        assert!(!freshness.is_fresh(ASSUMED, at(10)));
        freshness.confirm(&headers(""), at(1000));
        assert!(freshness.is_fresh(ASSUMED, at(1599)), "the old lifetime, without the old age");
        assert!(!freshness.is_fresh(ASSUMED, at(1600)));
        assert!(!freshness.is_fresh(ASSUMED, at(999)), "the clock was set back");
        freshness.confirm(&headers("Cache-Control: max-age=5"), at(2000));
        assert!(!freshness.is_fresh(ASSUMED, at(2005)));
        let conditions: Vec<_> = freshness.conditions().collect();
        assert_eq!(conditions, [("If-None-Match", "\"one\"")]);
    }

    #[test]
    fn a_time_that_no_clock_shows_is_not_fresh() {
        let freshness = Freshness { received: u64::MAX, ..Freshness::default() };
        assert!(!freshness.is_fresh(ASSUMED, at(0)) && !freshness.may_be_kept());
    }
}
