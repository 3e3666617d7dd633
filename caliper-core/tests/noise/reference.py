"""What SciPy says of runs that are told apart, kept for a test that has no SciPy.

    python reference.py            writes reference.json beside this file
    python reference.py --check    fails if SciPy would say something else now
"""

import json
import pathlib
import sys

import numpy
from scipy import stats

HERE = pathlib.Path(__file__).parent
KEPT = HERE / "reference.json"


def p_value(baseline, candidate):
    """Of all ways to deal out the runs, the share in which they are as far apart or further."""
    runs = numpy.array(baseline + candidate)
    pairs = [(i, j) for i in range(len(runs)) for j in range(i)]
    apart = numpy.mean([abs(runs[i] - runs[j]) for i, j in pairs], axis=0)
    kept = apart > 0
    if not kept.any():
        return 1.0
    runs = runs[:, kept] / apart[kept]

    def statistic(here, there):
        here, there = runs[numpy.asarray(here, int)], runs[numpy.asarray(there, int)]
        means = numpy.abs(here.mean(axis=0) - there.mean(axis=0))
        spreads = numpy.abs(here.std(axis=0) - there.std(axis=0))
        return numpy.max([means, spreads])

    indices = numpy.arange(len(runs))
    found = stats.permutation_test(
        (indices[: len(baseline)], indices[len(baseline) :]),
        statistic,
        alternative="greater",
        n_resamples=numpy.inf,
        vectorized=False,
    )
    return float(found.pvalue)


def cases():
    random = numpy.random.default_rng(20211121)
    for runs in (2, 3, 4, 5):
        for numbers in (1, 3):
            for drift in (0.0, 0.5, 2.0, 20.0):
                for noise in (random.normal, random.standard_cauchy):
                    other = runs + int(random.integers(0, 2))
                    one = noise(size=(runs, numbers))
                    two = noise(size=(other, numbers)) + drift * (numpy.arange(numbers) == 0)
                    yield one.tolist(), two.tolist()
    # Ties, and numbers that never change.
    for drift in (0, 1):
        one = random.integers(0, 3, size=(4, 2)).astype(float)
        two = random.integers(0, 3, size=(4, 2)).astype(float) + drift
        one[:, 1] = two[:, 1] = 7.0
        yield one.tolist(), two.tolist()
    yield [[1.0]] * 4, [[1.0 + 1e-12]] * 4


def corrections():
    random = numpy.random.default_rng(7)
    for size in (1, 2, 5, 30, 500):
        for power in (1, 3):
            for ties in (False, True):
                p = random.uniform(size=size) ** power
                p = numpy.ceil(p * 20) / 20 if ties else p
                yield p.tolist()


def reference():
    tests = [{"baseline": a, "candidate": b, "p": p_value(a, b)} for a, b in cases()]
    adjusted = [
        {"p": p, "adjusted": stats.false_discovery_control(p).tolist()} for p in corrections()
    ]
    return {"tests": tests, "adjusted": adjusted}


def main():
    now = reference()
    if sys.argv[1:] != ["--check"]:
        KEPT.write_text(json.dumps(now) + "\n")
        print(f"{len(now['tests'])} tests and {len(now['adjusted'])} corrections")
        return 0
    kept = json.loads(KEPT.read_text())
    pairs = [(a["p"], b["p"]) for a, b in zip(now["tests"], kept["tests"], strict=True)]
    for a, b in zip(now["adjusted"], kept["adjusted"], strict=True):
        pairs += zip(a["adjusted"], b["adjusted"], strict=True)
    wrong = [pair for pair in pairs if abs(pair[0] - pair[1]) > 1e-12]
    print(f"{len(pairs)} p-values of SciPy, {len(wrong)} differ from the kept ones")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
