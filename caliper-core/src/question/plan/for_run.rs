//! A test as one of its runs sees it.

use super::Test;

impl Test {
    /// What a command says in place of the seed of its run.
    pub const SEED: &'static str = "{{seed}}";

    /// The test as it is run for the time `attempt`, counted from 1: with the seed of that run in its command and
    /// in its environment.
    #[must_use]
    pub fn for_run(&self, attempt: u32) -> Self {
        let mut test = self.clone();
        let Some(seeds) = test.seeds.take() else { return test };
        if let Some(seed) = seeds.of(attempt) {
            let seed = seed.to_string();
            for word in &mut test.command {
                *word = word.replace(Self::SEED, &seed);
            }
            test.environment.insert(seeds.variable, seed);
        }
        test
    }

    /// Whether its command asks for the seed of a run.
    pub fn names_seed(&self) -> bool {
        self.command.iter().any(|word| word.contains(Self::SEED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::group::{Seeds, SeedsOfRuns};
    use crate::question::plan::TestKind;

    #[test]
    fn a_run_is_told_its_seed_in_command_and_environment() {
        let seeds = Seeds { variable: "SEED".into(), of_runs: SeedsOfRuns::From(10) };
        let test = Test {
            name: "t".into(),
            command: vec!["python".into(), "t.py".into(), "--seed={{seed}}".into()],
            kind: TestKind::Command,
            environment: [("SEED".to_owned(), "x".to_owned())].into(),
            timeout: None,
            repeat: 3,
            seeds: Some(seeds),
            files: None,
        };
        let run = test.for_run(2);
        assert_eq!(run.command[2], "--seed=11");
        assert_eq!(run.environment["SEED"], "11");
        assert_eq!(run.seeds, None);
        let plain = Test { seeds: None, ..test };
        assert_eq!(plain.for_run(2), plain);
    }
}
