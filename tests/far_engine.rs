//! A container engine that is not behind a plain socket: another machine's, through `ssh`, and one
//! behind TLS. Here it is this machine's own engine, through a real `sshd` and a real handshake.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::support::sshd::Sshd;
use crate::support::{World, cells, skip};

/// The socket of the engine that other tests use, if it has what these need.
fn engine() -> Option<PathBuf> {
    let address = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = if address.is_empty() {
        "/var/run/docker.sock"
    } else {
        address.strip_prefix("unix://")?
    };
    let has_image = Command::new("docker")
        .args(["image", "inspect", "python:3.11"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if has_image.is_ok_and(|status| status.success()) {
        return Some(path.into());
    }
    skip("there is no engine with the image python:3.11; tests/images/build.sh makes it");
    None
}

fn world() -> World {
    let world = World::with_config(
        "  python_versions: ['3.11']\n  tests:\n    - name: t\n      run: python t.py\n",
    );
    world.write("t.py", "import demo; print(demo.number)\n");
    world.wheel("demo", "1.0", &[("demo.py", "number = 1\n")]);
    world.wheel("demo", "2.0", &[("demo.py", "")]);
    world
}

const MEASURED: [&str; 2] =
    ["1.0: tested [import passed, t passed]", "2.0: tested [import passed, t failed]"];

#[test]
fn an_engine_is_reached_through_ssh() {
    let (Some(socket), Some(sshd)) = (engine(), Sshd::start()) else { return };
    let world = world();
    let here = format!("ssh://127.0.0.1:{}", sshd.port);
    let engine = format!("{here}{}", socket.display());
    let said = world.said(
        sshd.command(&world, &["run", "--backend", "docker"])
            .env("DOCKER_HOST", &engine)
            .output()
            .unwrap(),
    );
    said.expect(0);
    assert_eq!(cells(&world.results()), MEASURED);

    let error = |engine: &str| {
        let mut command = sshd.command(&world, &["run", "--backend", "docker"]);
        command.env("DOCKER_HOST", engine);
        world.said(command.output().unwrap()).error(3)
    };
    // What the engine's own program says at the other end.
    let nowhere = error(&format!("{here}/nowhere/docker.sock"));
    assert!(nowhere.contains("dial unix /nowhere/docker.sock"), "{nowhere}");
    sshd.forget_host();
    let stranger = error(&engine);
    assert!(stranger.contains("Host key verification failed"), "{stranger}");
    let command =
        format!("`ssh -o ConnectTimeout=30 -o BatchMode=yes -T -p {} -- 127.0.0.1", sshd.port);
    assert!(stranger.contains(&command), "{stranger}");
    insta::assert_snapshot!(error("ssh://-oProxyCommand=x"), @"
    error: could not reach the container engine at `ssh://-oProxyCommand=x`
      caused by: this is not the address of an engine: set DOCKER_HOST to `unix:///path/to/socket`, `tcp://name:port` or `ssh://user@name`, or unset it
    ");
}

/// A certificate authority with a certificate for `localhost` and one for its clients.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes what a client needs.
    fn equip(&self, folder: &Path) {
        let (certificate, key) = self.issue("client");
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("ca.pem"), self.issuer.pem()).unwrap();
        fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    }

    /// Leads connections that this authority vouches for to a socket, until the test ends. Answers the
    /// port.
    fn serve(&self, socket: PathBuf) -> u16 {
        let (certificate, key) = self.issue("localhost");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.issuer.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    let (acceptor, socket) = (acceptor.clone(), socket.clone());
                    tokio::spawn(async move {
                        let Ok(mut client) = acceptor.accept(client).await else { return };
                        let mut engine = tokio::net::UnixStream::connect(socket).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
                    });
                }
            });
        });
        port
    }
}

#[test]
fn an_engine_is_reached_through_tls() {
    let Some(socket) = engine() else { return };
    let world = world();
    let authority = Authority::new();
    let port = authority.serve(socket);
    let folder = world.project().join("certificates");
    let engine = format!("tcp://localhost:{port}");
    let run = |engine: &str| {
        let mut command = world.command(&["run", "--backend", "docker"]);
        command.env("DOCKER_HOST", engine).env("DOCKER_TLS_VERIFY", "1");
        command.env("DOCKER_CERT_PATH", &folder);
        world.said(command.output().unwrap())
    };
    // What the system said beneath depends on who was faster.
    let error = |engine: &str| {
        let said = run(engine).error(3).replace(&port.to_string(), "[PORT]");
        said.lines().nth(1).unwrap_or_default().trim().to_owned()
    };
    insta::assert_snapshot!(error(&engine), @"caused by: could not read `[HERE]/project/certificates/ca.pem`, as DOCKER_TLS_VERIFY is set; DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem");
    authority.equip(&folder);
    run(&engine).expect(0);
    assert_eq!(cells(&world.results()), MEASURED);

    // For `localhost`, but not for the same place by another name.
    insta::assert_snapshot!(error(&format!("tcp://127.0.0.1:{port}")), @r#"caused by: the engine's certificate cannot be trusted: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("localhost")"#);
    fs::remove_file(folder.join("key.pem")).unwrap();
    insta::assert_snapshot!(error(&engine), @"caused by: there is `[HERE]/project/certificates/cert.pem`, but no `[HERE]/project/certificates/key.pem`: both are needed, or neither");
    fs::remove_file(folder.join("cert.pem")).unwrap();
    insta::assert_snapshot!(error(&engine), @"caused by: the engine wants a certificate of its client, and there is no `[HERE]/project/certificates/cert.pem`");
    Authority::new().equip(&folder);
    insta::assert_snapshot!(error(&engine), @"caused by: the engine's certificate was not issued by `[HERE]/project/certificates/ca.pem`");
    fs::write(folder.join("ca.pem"), authority.issuer.pem()).unwrap();
    insta::assert_snapshot!(error(&engine), @"caused by: the engine does not accept `[HERE]/project/certificates/cert.pem`: received fatal alert: DecryptError");
    fs::write(folder.join("ca.pem"), "nothing").unwrap();
    insta::assert_snapshot!(error(&engine), @"caused by: `[HERE]/project/certificates/ca.pem` holds no certificate");
}

#[test]
fn what_does_not_speak_tls_is_told_so() {
    let world = world();
    let folder = world.project().join("certificates");
    Authority::new().equip(&folder);
    // The index: a server, but of plain HTTP.
    let engine = world.index().replace("http://", "tcp://");
    let engine = engine.split_inclusive('/').take(3).collect::<String>();
    let mut command = world.command(&["run", "--backend", "docker"]);
    command.env("DOCKER_HOST", engine).env("DOCKER_TLS_VERIFY", "1");
    command.env("DOCKER_CERT_PATH", &folder);
    let error = world.said(command.output().unwrap()).error(3);
    assert!(error.contains("does not speak TLS: unset DOCKER_TLS_VERIFY"), "{error}");
    let mut command = world.command(&["run", "--backend", "docker"]);
    command.env("DOCKER_TLS", "1");
    insta::assert_snapshot!(world.said(command.output().unwrap()).error(2), @"error: the `docker` backend cannot give TLS without verification of the server (DOCKER_TLS); set DOCKER_TLS_VERIFY instead");
}
