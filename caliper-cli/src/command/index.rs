use std::net::SocketAddr;
use std::path::Path;

use caliper_container::interrupt::Interrupt;
use caliper_pypi::mirror::{Mirror, MirrorOptions, UnknownUploadTime};

use crate::args::{Serve, UnknownUploadTimeName};
use crate::cache_lock::CacheLock;
use crate::exit::{Exit, Failure, Outcome};
use crate::own;
use crate::setting;
use crate::signals::Watch;
use crate::sources::Index;
use crate::terminal::{Terminal, printable};

/// Serves a mirror until a signal comes.
pub(super) fn serve(how: &Serve, terminal: Terminal) -> Outcome {
    check(how.listen, how.public)?;
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let cache = how.cache.clone().unwrap_or_else(|| setting::cache(Path::new("caliper.yaml")));
    own::make_cache(&cache);
    let _in_use = CacheLock::to_use(&cache)?;
    let index = Index::open(&how.index, &cache, terminal)?;
    if !how.listen.ip().is_loopback() {
        let login = if index.client.has_login() { ", with your login" } else { "" };
        terminal.warning(&format!(
            "whoever reaches {} can read all that the indexes offer{login}, and make this machine fetch it",
            how.listen
        ));
    }
    let options = MirrorOptions {
        listen: how.listen,
        unknown_upload_time: match how.unknown_upload_time {
            UnknownUploadTimeName::Include => UnknownUploadTime::Include,
            UnknownUploadTimeName::Exclude => UnknownUploadTime::Exclude,
        },
    };
    let files = index.downloader(&cache);
    let mirror = Mirror::start(index.client.clone(), files, options)
        .map_err(|error| Failure { exit: Exit::Infrastructure, error: error.into() })?;
    let address = mirror.address(how.as_of);
    let behind: Vec<String> = index.client.addresses().map(ToString::to_string).collect();
    terminal.data(&format!("{address}\n"));
    terminal.note(&printable(&format!(
        "serves {}; files are kept in {}\n  \
         pip install --index-url {address} PACKAGE\n  \
         uv pip install --default-index {address} PACKAGE",
        behind.join(", then "),
        cache.display(),
    )));
    while !interrupt.is_raised() {
        std::thread::sleep(Interrupt::POLL);
    }
    terminal.note(&format!(
        "served {} requests, {} of them failed",
        mirror.requests(),
        mirror.failures()
    ));
    Ok(watch.exit().unwrap_or(Exit::Done))
}

/// Refuses what other machines could reach, unless that is what was asked for.
fn check(listen: SocketAddr, public: bool) -> Result<(), Failure> {
    if listen.ip().is_loopback() || public {
        return Ok(());
    }
    Err(Failure::question(format!(
        "other machines may reach {listen}, and read all that the indexes offer: listen on 127.0.0.1:{}, or \
         add `--public` if that is meant",
        listen.port()
    )))
}
