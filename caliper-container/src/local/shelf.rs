//! Which environments stay for later runs, if together they take more than they may.
//!
//! An environment that the run needs is never removed for another one. So if not all of them fit, the same ones stay from
//! run to run, and only the others are made anew: in no run is more made than in the first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use caliper_core::names::Bytes;

use super::kept::{Held, InUse, Name, at_rest, hold};
use super::linked::{Linked, folders};
use super::work::Workspace;
use crate::backend::BackendError;

const LOCK: &str = "lock";

/// The environments that are kept in one folder. If both locks are held, the account was locked first.
#[derive(Debug)]
pub(super) struct Shelf {
    root: PathBuf,
    /// How many bytes they may take together.
    budget: u64,
    account: Mutex<Account>,
}

/// The places are called by the names of their folders.
#[derive(Debug, Default)]
struct Account {
    places: BTreeMap<String, Place>,
    /// The places of the environments that this run needs.
    needed: BTreeSet<String>,
    /// The sizes of needed environments for which there was no room, in bytes.
    no_room: BTreeMap<String, u64>,
}

/// The place of an environment that is at rest, or was when it was taken up.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// In bytes.
    size: u64,
    used: SystemTime,
    /// Whether a cell of this run has it.
    is_taken: bool,
}

impl Account {
    fn total(&self) -> u64 {
        self.places.values().map(|place| place.size).sum()
    }

    /// Those that can go, the one that was not used for the longest time first.
    fn dispensable(&self) -> Vec<(String, u64)> {
        let free = self.places.iter();
        let free = free.filter(|(name, place)| !place.is_taken && !self.needed.contains(*name));
        let mut free: Vec<_> = free.map(|(name, place)| (name.clone(), *place)).collect();
        free.sort_by_key(|(_, place)| place.used);
        free.into_iter().map(|(name, place)| (name, place.size)).collect()
    }
}

impl Shelf {
    /// The environments in the folder `root`, without those that can no longer be used.
    pub(super) fn open(
        root: &Path,
        budget: u64,
        workspace: &Workspace,
    ) -> Result<Self, BackendError> {
        let failed = |error| {
            BackendError::machine(format!("could not keep environments in `{}`", root.display()))(
                error,
            )
        };
        fs::create_dir_all(root).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        let shelf = Self { root, budget, account: Mutex::default() };
        let _guard = shelf.guard()?;
        for folder in folders(&shelf.root) {
            let Ok(_lock) = hold(&folder) else { continue };
            match at_rest(&folder) {
                Some(found) if found.is_usable => {
                    let place = Place { size: found.size, used: found.used, is_taken: false };
                    shelf.account().places.insert(name_of(&folder), place);
                }
                _ => workspace.discard_later(&folder)?,
            }
        }
        Ok(shelf)
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while folders are made, locked and removed, so that none is removed that was just locked.
    fn guard(&self) -> Result<File, BackendError> {
        let path = self.root.join(LOCK);
        let guard = File::create(&path).and_then(|file| file.lock().map(|()| file));
        guard.map_err(BackendError::machine(format!("could not lock `{}`", path.display())))
    }

    /// Announces environments that this run needs, and removes others if all together take more than they
    /// may.
    pub(super) fn announce(
        &self,
        names: impl Iterator<Item = Name>,
        workspace: &Workspace,
    ) -> Result<(), BackendError> {
        let mut account = self.account();
        if self.budget > 0 {
            account.needed.extend(names.map(|name| name.folder()));
        }
        let _guard = self.guard()?;
        self.make_room(&mut account, 0, workspace)
    }

    /// Removes environments that the run does not need, until there is room for `size` bytes more.
    fn make_room(
        &self,
        account: &mut Account,
        size: u64,
        workspace: &Workspace,
    ) -> Result<(), BackendError> {
        for (name, _) in account.dispensable() {
            if account.total().saturating_add(size) <= self.budget {
                break;
            }
            let folder = self.root.join(&name);
            // Another run may have taken it up since.
            if let Ok(_lock) = hold(&folder) {
                workspace.discard_later(&folder)?;
            }
            account.places.remove(&name);
        }
        Ok(())
    }

    /// Whether the environment of this name can be taken up, as far as can be seen from outside.
    pub(super) fn has(&self, name: &Name) -> bool {
        self.account().places.contains_key(&name.folder())
    }

    /// Takes the place of this name, whether its environment is made already or not. `None` if another cell has
    /// it, or if none is to be kept.
    pub(super) fn take(&self, name: Name) -> Result<Option<Held>, BackendError> {
        if self.budget == 0 {
            return Ok(None);
        }
        let taken = {
            let _guard = self.guard()?;
            Held::take(&self.root, name).map_err(BackendError::machine(format!(
                "could not take the environment in `{}`",
                self.root.join(name.folder()).display()
            )))?
        };
        match taken {
            Ok(held) => {
                if let Some(place) = self.account().places.get_mut(&name.folder()) {
                    place.is_taken = true;
                }
                Ok(Some(held))
            }
            Err(InUse) => Ok(None),
        }
    }

    /// Gives an environment back, and keeps it if it is what it was and there is room.
    pub(super) fn give_back(
        &self,
        held: Held,
        linked: &Linked,
        workspace: &Workspace,
    ) -> Result<(), BackendError> {
        let name = held.place();
        let mut room = Ok(());
        let sealed = held.seal(linked, |size| {
            let mut account = self.account();
            account.places.remove(&name);
            let others: u64 = account.dispensable().iter().map(|(_, size)| size).sum();
            // None is removed in vain.
            let fits = (account.total() - others).saturating_add(size) <= self.budget;
            if fits {
                room =
                    self.guard().and_then(|_guard| self.make_room(&mut account, size, workspace));
                account.no_room.remove(&name);
                let place = Place { size, used: SystemTime::now(), is_taken: false };
                account.places.insert(name.clone(), place);
            } else if account.needed.contains(&name) {
                account.no_room.insert(name.clone(), size);
            }
            fits
        });
        if !sealed {
            self.account().places.remove(&name);
            let _guard = self.guard()?;
            workspace.discard(held.folder())?;
        }
        // Only now may another cell have it.
        drop(held);
        room
    }

    /// Says what of the environments that this run needed could not be kept; `None` if all could.
    pub(super) fn shortage(&self) -> Option<String> {
        let account = self.account();
        let anew = account.no_room.len();
        if anew == 0 {
            return None;
        }
        let kept = account.places.iter().filter(|(name, _)| account.needed.contains(*name));
        let sizes = kept.map(|(_, place)| place.size).chain(account.no_room.values().copied());
        let (count, total) = sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size));
        Some(format!(
            "the {count} environments of this run take {}, and {} of them are kept: each run makes {anew} of them anew; \
             `--disk SIZE` keeps more",
            Bytes(total),
            Bytes(self.budget),
        ))
    }
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use caliper_core::question::modules::Imports;

    use super::*;
    use crate::backend::RunId;
    use crate::interrupt::Interrupt;
    use crate::local::files::Files;
    use crate::local::install::Contents;

    const SIZE: usize = 1 << 20;

    /// One run after the other in one cache.
    struct Runs(tempfile::TempDir);

    impl Runs {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        /// Needs these environments, and takes each in turn. Returns those that it had to make, and what it says
        /// in the end.
        fn run<'n>(&self, budget: usize, needed: &[&'n str]) -> (Vec<&'n str>, Option<String>) {
            let folder = self.0.path();
            let workspace = Workspace::open(&folder.join("work"), &RunId::fresh()).unwrap();
            let linked = Linked::new(folder.join("uv"));
            let shelf =
                Shelf::open(&folder.join("environments"), budget as u64, &workspace).unwrap();
            shelf.announce(needed.iter().map(|name| Name::made_up(name)), &workspace).unwrap();
            let mut made = Vec::new();
            for name in needed {
                let mut held = shelf.take(Name::made_up(name)).unwrap().unwrap();
                if held.reuse(&linked).unwrap().is_none() {
                    made.push(*name);
                    fs::write(held.environment().join("large"), vec![1; SIZE]).unwrap();
                    let files = Files::of(&held.environment()).unwrap();
                    let contents = Contents {
                        installed: Vec::new(),
                        imports: Imports::Nothing,
                        overlays: Vec::new(),
                    };
                    held.made(&contents, b"", files);
                }
                shelf.give_back(held, &linked, &workspace).unwrap();
            }
            workspace.finish(&Interrupt::default(), &|_| {});
            (made, shelf.shortage())
        }
    }

    #[test]
    fn of_a_run_that_needs_too_many_the_same_stay() {
        let runs = Runs::new();
        let all = ["1", "2", "3", "4", "5"];
        let budget = 5 * SIZE / 2;
        let (made, said) = runs.run(budget, &all);
        assert_eq!(made, all);
        let said = said.unwrap();
        assert!(said.starts_with("the 5 environments of this run take 5."), "{said}");
        assert!(said.contains("2.5 MiB of them are kept: each run makes 3 of them anew"), "{said}");
        for _ in 0..3 {
            assert_eq!(runs.run(budget, &all).0, ["3", "4", "5"]);
        }
        // Whatever comes first.
        assert_eq!(runs.run(budget, &["5", "4", "3", "2", "1"]).0, ["5", "4", "3"]);
        assert_eq!(runs.run(budget, &all).0, ["3", "4", "5"]);
        // Until there is room for all.
        assert_eq!(runs.run(6 * SIZE, &all), (vec!["3", "4", "5"], None));
        assert_eq!(runs.run(6 * SIZE, &all).0, Vec::<&str>::new());
    }

    #[test]
    fn what_a_run_does_not_need_goes_first_and_the_oldest_of_it() {
        let runs = Runs::new();
        let budget = 7 * SIZE / 2;
        runs.run(budget, &["1", "2", "3"]);
        // It is used again, so that now 2 is the oldest.
        assert_eq!(runs.run(budget, &["1"]).0, Vec::<&str>::new());
        assert_eq!(runs.run(budget, &["4"]), (vec!["4"], None));
        assert_eq!(runs.run(budget, &["4", "3", "1"]).0, Vec::<&str>::new());
        assert_eq!(runs.run(budget, &["1", "2"]).0, ["2"]);
        // A smaller budget holds at once, also for what is not needed.
        runs.run(3 * SIZE / 2, &["2"]);
        assert_eq!(runs.run(budget, &["2", "1", "3", "4"]).0, ["1", "3", "4"]);
        // And none at all keeps none.
        let nothing = runs.run(0, &[]);
        assert_eq!(nothing, (vec![], None));
        assert_eq!(runs.run(budget, &["1"]).0, ["1"]);
    }
}
