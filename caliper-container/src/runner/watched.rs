//! Tells of what goes on outside of cells: phases, and the files that are fetched.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use caliper_core::facts::event::{Event, Phase, Reporter};
use caliper_core::names::PackageName;
use caliper_core::question::files::{FileError, FileSource};
use caliper_core::question::grid::DistFile;

use super::rounded;

/// Does `work`, and reports that it is this phase.
pub fn during<T>(reporter: &dyn Reporter, phase: Phase, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    reporter.report(&Event::PhaseStarted { phase });
    let done = work();
    let seconds = rounded(begun.elapsed().as_secs_f64());
    reporter.report(&Event::PhaseFinished { phase, seconds });
    done
}

/// How often it is told at most how far a file has come.
const EVERY: Duration = Duration::from_millis(300);

/// A source of files that reports what it fetches.
pub(super) struct Watched<'a> {
    pub(super) files: &'a dyn FileSource,
    pub(super) reporter: &'a dyn Reporter,
}

impl FileSource for Watched<'_> {
    fn fetch(&self, file: &DistFile) -> Result<PathBuf, FileError> {
        let begun = Instant::now();
        let mut told: Option<Instant> = None;
        let fetched = self.files.fetch_with_progress(file, &mut |bytes, of| {
            if told.is_none_or(|told| told.elapsed() >= EVERY) {
                told = Some(Instant::now());
                let file = file.filename.clone();
                self.reporter.report(&Event::DownloadProgress { file, bytes, of });
            }
        });
        if told.is_some() {
            let (file, ok) = (file.filename.clone(), fetched.is_ok());
            let seconds = rounded(begun.elapsed().as_secs_f64());
            self.reporter.report(&Event::DownloadFinished { file, ok, seconds });
        }
        fetched
    }

    fn kept(&self, file: &DistFile) -> Option<PathBuf> {
        self.files.kept(file)
    }

    fn check(&self, project: &PackageName) -> Result<(), FileError> {
        self.files.check(project)
    }
}

#[cfg(test)]
mod tests {
    use caliper_core::facts::event::Collected;
    use caliper_core::question::grid::FileKind;

    use super::*;

    /// Gives a file in ten thousand parts, or one that is here already.
    struct InParts(u64);

    impl FileSource for InParts {
        fn fetch(&self, _: &DistFile) -> Result<PathBuf, FileError> {
            Ok(PathBuf::new())
        }

        fn fetch_with_progress(
            &self,
            file: &DistFile,
            progress: &mut dyn FnMut(u64, Option<u64>),
        ) -> Result<PathBuf, FileError> {
            (1..=self.0).for_each(|part| progress(part, Some(self.0)));
            self.fetch(file)
        }
    }

    #[test]
    fn a_file_is_told_of_a_few_times() {
        let file = DistFile {
            filename: "demo-1.0.tar.gz".to_owned(),
            url: String::new(),
            sha256: None,
            size: None,
            kind: FileKind::Sdist,
            upload_time: None,
            requires_python: None,
            yanked: false,
        };
        let told = |parts| {
            let reporter = Collected::default();
            Watched { files: &InParts(parts), reporter: &reporter }.fetch(&file).unwrap();
            reporter.events()
        };
        assert_eq!(told(0), []);
        let events = told(10_000);
        assert!((2..20).contains(&events.len()), "{}", events.len());
        assert!(matches!(events.last(), Some(Event::DownloadFinished { ok: true, .. })));
    }
}
