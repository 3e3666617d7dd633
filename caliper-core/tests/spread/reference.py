"""What SciPy and NumPy say of pairs of groups, kept for a test that has neither.

    python reference.py            writes reference.json beside this file
    python reference.py --check    fails if they would say something else now
"""

import io
import json
import math
import pathlib
import sys
import warnings

import numpy
from scipy import stats

HERE = pathlib.Path(__file__).parent
KEPT = HERE / "reference.json"
ALPHA, POWER, MOST = 0.05, 0.8, 100_000


def known(number):
    """A number, or None where it has no value."""
    return float(number) if math.isfinite(number) else None


def described(values):
    values = numpy.asarray(values, float)
    n, constant = len(values), bool((values == values[0]).all())
    return {
        "mean": known(values.mean()),
        "sd_ddof_0": 0.0 if constant else known(values.std()),
        "sd_ddof_1": None if n < 2 else 0.0 if constant else known(values.std(ddof=1)),
        "median": known(numpy.median(values)),
        "mad_raw": known(stats.median_abs_deviation(values)),
        "q1": known(numpy.quantile(values, 0.25)),
        "q3": known(numpy.quantile(values, 0.75)),
        "min": known(values.min()),
        "max": known(values.max()),
    }


def power(ratio, runs):
    f = stats.f(runs - 1, runs - 1)
    low, high = f.ppf(ALPHA / 2), f.isf(ALPHA / 2)
    return f.sf(high / ratio**2) + f.cdf(low / ratio**2)


def runs_needed(ratio):
    """The fewest runs with the power; None if they are more than MOST."""
    if power(ratio, MOST) < POWER:
        return None
    low, high = 1, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(ratio, middle) >= POWER else (middle, high)
    return high


def contrasted(reference, group):
    """The second group against the first."""
    here, there = numpy.asarray(group, float), numpy.asarray(reference, float)
    constant = [bool((values == values[0]).all()) for values in (here, there)]
    found = dict.fromkeys(["ratio", "interval_f", "p_f", "p_levene", "u", "p_mann_whitney", "runs_needed", "bootstrap", "p_fisher_exact"])
    if not any(constant) and min(len(here), len(there)) > 1:
        ratio = here.std(ddof=1) / there.std(ddof=1)
        f = stats.f(len(here) - 1, len(there) - 1)
        found["ratio"] = float(ratio)
        found["interval_f"] = [ratio / math.sqrt(f.isf(ALPHA / 2)), ratio / math.sqrt(f.ppf(ALPHA / 2))]
        found["p_f"] = min(1.0, 2 * min(f.cdf(ratio**2), f.sf(ratio**2)))
        found["runs_needed"] = runs_needed(ratio)
        if min(len(here), len(there)) >= 20:
            interval = stats.bootstrap(
                (here, there),
                lambda one, other, axis: one.std(axis=axis, ddof=1) / other.std(axis=axis, ddof=1),
                method="percentile", n_resamples=9999, vectorized=True, rng=numpy.random.default_rng(1),
            ).confidence_interval
            found["bootstrap"] = [float(interval.low), float(interval.high)]
    if min(len(here), len(there)) > 1 and not all(constant):
        levene = stats.levene(there, here, center="median")
        # With two runs each, the distances from the medians are equal but for rounding.
        if math.isfinite(levene.statistic) and max(len(here), len(there)) > 2:
            found["p_levene"] = float(levene.pvalue)
    if constant[0] != constant[1] and min(len(here), len(there)) > 1:
        varied, steady = (there, here) if constant[0] else (here, there)
        odd = len(varied) - int(numpy.unique(varied, return_counts=True)[1].max())
        found["p_fisher_exact"] = float(stats.fisher_exact([[0, len(steady)], [odd, len(varied) - odd]]).pvalue)
    if len(set(here) | set(there)) > 1:
        test = stats.mannwhitneyu(here, there, alternative="two-sided", method="auto")
        found["u"], found["p_mann_whitney"] = float(test.statistic), float(test.pvalue)
    return found


def published(values):
    """Numbers after a journey through the form of published tables."""
    text = io.StringIO()
    numpy.savetxt(text, values, delimiter=",", fmt="%.18e")
    return text.getvalue(), numpy.loadtxt(io.StringIO(text.getvalue()), delimiter=",")


def cases():
    random = numpy.random.default_rng(20211121)
    sizes = [(2, 2), (2, 5), (3, 3), (3, 5), (4, 9), (8, 8), (8, 40), (9, 9), (20, 20), (50, 50), (50, 36), (400, 350)]
    for n, m in sizes:
        yield f"normal {n} {m}", random.normal(0.25, 0.01, n), random.normal(0.26, 0.02, m)
    for n, m in [(5, 5), (20, 30), (50, 50)]:
        yield f"heavy tails {n} {m}", random.standard_t(2, n), random.standard_t(2, m) * 3
        yield f"skewed {n} {m}", random.lognormal(size=n), random.lognormal(1, 1, m)
        yield f"ties {n} {m}", random.integers(0, 4, n), random.integers(0, 6, m)
        yield f"few values {n} {m}", numpy.round(random.normal(0.9, 0.01, n), 2), numpy.round(random.normal(0.9, 0.01, m), 2)
    yield "constant reference", [0.1] * 10, random.normal(0.1, 0.01, 10)
    yield "constant group", random.normal(0.1, 0.01, 10), [0.3] * 10
    yield "constant beside one far", [1.0] * 20, [1.0] * 19 + [1e9]
    yield "constant beside all other, one far", [1.0] * 20, [*range(19), 1e9]
    yield "constant beside a half", [0.5] * 30, [0.5] * 15 + list(random.normal(0.5, 0.1, 15))
    yield "constant beside two values", [1.0, 2.0] * 6, [3.0] * 7
    yield "constant pair", [1.0] * 2, list(range(40))
    yield "both constant", [0.1] * 7, [0.2] * 7
    yield "all equal", [0.1] * 7, [0.1] * 7
    yield "one run", [0.1], random.normal(size=5)
    yield "one run each", [0.1], [0.2]
    yield "same numbers", list(range(10)), list(range(10))
    yield "apart", random.normal(0, 1, 15), random.normal(100, 1, 15)
    yield "very different spreads", random.normal(0, 1, 12), random.normal(0, 1e6, 12)
    yield "large offset", 1e9 + random.normal(0, 1, 30), 1e9 + random.normal(0, 2, 30)
    yield "tiny", random.normal(0, 1e-100, 10), random.normal(0, 3e-100, 10)
    yield "huge", random.normal(0, 1e100, 10), random.normal(0, 3e100, 10)
    yield "zeros of both signs", [0.0, -0.0, 1.0, 2.0], [-0.0, 0.0, 3.0, 5.0, 1.0]
    yield "close spreads", random.normal(0, 1, 500), random.normal(0, 1, 500)


def reference():
    pairs = []
    for name, reference, group in cases():
        reference, group = [[float(value) for value in values] for values in (reference, group)]
        pairs.append({
            "name": name, "reference": reference, "group": group,
            "described": [described(reference), described(group)], "contrast": contrasted(reference, group),
        })
    tables = []
    random = numpy.random.default_rng(50)
    for metrics in (random.normal([2.3, 0.41], [1e-3, 4e-4], (50, 2)), random.normal([2.3, 0.41], [3e-3, 8e-4], (50, 2))):
        text, read = published(metrics)
        tables.append({"text": text, "described": [described(column) for column in read.T]})
    return {"pairs": pairs, "tables": tables}


def close(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-300)
    return one == other


def main():
    with warnings.catch_warnings():
        # SciPy warns of constant groups, which are among the cases.
        warnings.simplefilter("ignore")
        now = json.loads(json.dumps(reference(), allow_nan=False))
    if sys.argv[1:] != ["--check"]:
        KEPT.write_text(json.dumps(now) + "\n")
        print(f"{len(now['pairs'])} pairs of groups and {len(now['tables'])} tables")
        return 0
    kept = json.loads(KEPT.read_text())
    wrong = [one["name"] for one, other in zip(now["pairs"], kept["pairs"], strict=True) if not close(one, other)]
    wrong += ["a table"] * (not close(now["tables"], kept["tables"]))
    print(f"{len(now['pairs'])} pairs of groups, {len(wrong)} differ from the kept ones: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
