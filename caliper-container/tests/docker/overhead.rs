//! What a test costs beside a bare `docker run`:
//! `cargo test --release --test docker -- --ignored --nocapture overhead`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::bench::{Bench, docker, test};

const TESTS: usize = 20;
const SIDE_BY_SIDE: usize = 2;
const ROUNDS: usize = 3;

#[test]
#[ignore = "measures time"]
fn overhead_over_a_bare_run() {
    let Some(bench) = Bench::new() else { return };
    let environment = bench.build();
    let command = ["python", "-c", "print(1)"];
    let bare = || {
        docker(&[&["run", "--rm", "--network", "bridge", environment.id()], &command[..]].concat());
    };
    let ours = || {
        let run = bench.runs(&*environment).try_test(&test(&command)).unwrap();
        assert_eq!(run.output.bytes, b"1\n");
    };
    let mut total = [Duration::ZERO; 2];
    // In turn, so that whatever else the machine does meets both.
    for round in 0..ROUNDS {
        let times = [time(&bare), time(&ours)];
        eprintln!("round {round}: docker run {:.2?}, caliper {:.2?}", times[0], times[1]);
        total[0] += times[0];
        total[1] += times[1];
    }
    let ratio = total[1].as_secs_f64() / total[0].as_secs_f64();
    eprintln!("{TESTS} tests, {SIDE_BY_SIDE} side by side: {ratio:.3} of docker run");
    environment.release().unwrap();
    bench.assert_clean();
}

fn time(work: &(impl Fn() + Sync)) -> Duration {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < TESTS {
                    work();
                }
            });
        }
    });
    began.elapsed()
}
