//! A project as an archive, which is how an engine takes files.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::{Kind, Project};

impl Project {
    /// Whether it is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds the project to an archive, below `prefix` and without the files named in `except`.
    ///
    /// Owners and times are omitted, so that equal projects give equal bytes.
    pub(crate) fn append_to(
        &self,
        archive: &mut tar::Builder<impl io::Write>,
        prefix: &str,
        except: &[&str],
    ) -> io::Result<()> {
        let prefix = Path::new(prefix);
        let header = |kind, mode, size| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_size(size);
            header.set_mtime(0);
            header
        };
        if !prefix.as_os_str().is_empty() {
            // An empty project is still a folder that can be copied.
            let mut header = header(tar::EntryType::Directory, 0o755, 0);
            archive.append_data(&mut header, prefix, io::empty())?;
        }
        for entry in self.entries.iter().filter(|entry| !except.contains(&entry.path.as_str())) {
            let path = prefix.join(&entry.path);
            match &entry.kind {
                Kind::Directory => {
                    let mut header = header(tar::EntryType::Directory, 0o755, 0);
                    archive.append_data(&mut header, path, io::empty())?;
                }
                Kind::File { executable, .. } => {
                    let file = fs::File::open(self.root.join(&entry.path))?;
                    let size = file.metadata()?.len();
                    let mode = if *executable { 0o755 } else { 0o644 };
                    let mut header = header(tar::EntryType::Regular, mode, size);
                    archive.append_data(&mut header, path, file.take(size))?;
                }
                Kind::Link { target } => {
                    let mut header = header(tar::EntryType::Symlink, 0o777, 0);
                    archive.append_link(&mut header, path, target)?;
                }
            }
        }
        Ok(())
    }
}
