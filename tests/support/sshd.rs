//! Another machine that is this one, behind a real `sshd`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::{World, path_with_uv, skip};

fn program() -> Option<&'static Path> {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
    places.into_iter().map(Path::new).find(|path| path.exists())
}

/// An `sshd` for this user, and a program `ssh` that knows where its keys are.
pub struct Sshd {
    folder: tempfile::TempDir,
    pub port: u16,
    process: Option<Child>,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Sshd {
    pub fn start() -> Option<Self> {
        if program().is_none() {
            skip("there is no sshd to reach another machine through");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["user", "host"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)])
                .status();
            assert!(made.unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv PATH={}\n",
            path("host"),
            path("user.pub"),
            path_with_uv().to_str().unwrap(),
        );
        fs::write(path("sshd_config"), text).unwrap();
        let host = fs::read_to_string(path("host.pub")).unwrap();
        fs::write(path("known"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        let text = format!(
            "Host *\nIdentityFile {}\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n",
            path("user"),
            path("known"),
        );
        fs::write(path("config"), text).unwrap();
        fs::create_dir(path("bin")).unwrap();
        let text = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", path("config"));
        fs::write(path("bin/ssh"), text).unwrap();
        fs::set_permissions(path("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        // Where sshd gives up its rights; Debian makes it when the service starts.
        let _ = fs::DirBuilder::new().mode(0o755).create("/run/sshd");
        let mut sshd = Self { folder, port, process: None };
        sshd.listen();
        Some(sshd)
    }

    /// Listens again.
    pub fn listen(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let process = Command::new(program().unwrap())
            .args(["-D", "-e", "-f"])
            .arg(path("sshd_config"))
            .stderr(fs::File::create(path("log")).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(path("log")).unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops listening and closes the connections, as if the network were lost.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Makes the machine a stranger.
    pub fn forget_host(&self) {
        fs::write(self.folder.path().join("known"), "").unwrap();
    }

    /// The binary, to which `ssh` is the program here.
    pub fn command(&self, world: &World, arguments: &[&str]) -> Command {
        let mut command = world.command(arguments);
        let path = path_with_uv();
        let bin = self.folder.path().join("bin");
        let path = std::iter::once(bin).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command
    }
}
