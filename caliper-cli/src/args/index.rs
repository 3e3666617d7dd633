//! `caliper index`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use caliper_core::names::Timestamp;
use clap::{Args as ClapArgs, Subcommand};

use super::{IndexArgs, UnknownUploadTimeName};

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Serve what the package indexes offer, now or as of a date, to pip and uv.
    #[command(after_help = "\
Examples:
  caliper index serve --as-of 2021-01-01
  caliper index serve --listen 8080 --index https://my.example/simple --index https://pypi.org/simple
  PIP_INDEX_URL=http://127.0.0.1:8080/as-of/2021-01-01/simple/ pip install jinja2

Any date can be asked for in the address: /as-of/DATE/simple/. Files are fetched once, verified, and kept in
the cache; --offline serves from there alone. Ctrl-C ends it.")]
    Serve(Serve),
}

/// How a mirror is served.
#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Where to listen: a port of this machine's loopback, or an address with a port; default: any free port.
    #[arg(long, value_name = "ADDR", default_value = "0", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// Allow an address in --listen that other machines reach.
    #[arg(long)]
    pub(crate) public: bool,
    /// Print the address of the index as it was then.
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Timestamp>,
    /// What to do with files for which the index gives no upload time, where a date is asked for.
    #[arg(long, value_enum, default_value_t = UnknownUploadTimeName::Exclude)]
    pub(crate) unknown_upload_time: UnknownUploadTimeName,
    /// Where files and answers are kept; default: the cache of the project in this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}

/// A port alone is one of the loopback.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse()).map_err(|_| {
        "write a port such as 8080, or an address and a port such as 127.0.0.1:8080".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_the_loopback() {
        let cases = [
            ("8080", Some("127.0.0.1:8080")),
            ("0", Some("127.0.0.1:0")),
            ("10.0.0.1:80", Some("10.0.0.1:80")),
            ("[::1]:80", Some("[::1]:80")),
            ("localhost:80", None), // which address that is, only a look-up tells
            ("127.0.0.1", None),
            ("70000", None),
        ];
        for (text, expected) in cases {
            let listen = listen(text).ok().map(|address| address.to_string());
            assert_eq!(listen.as_deref(), expected, "{text}");
        }
    }
}
