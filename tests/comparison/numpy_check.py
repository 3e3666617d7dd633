#!/usr/bin/env python3
"""Holds `caliper_core::compare` against what NumPy says of the same numbers.

    cargo build --workspace --examples
    python3 tests/comparison/numpy_check.py [--pairs 4000] [--seed 0] [--keep FOLDER]

Makes pairs of arrays of every type (values that are not numbers, infinities, both zeros, subnormal numbers, other
shapes, types, orders of bytes and axes, fields), and of texts, JSON and CSV with the same numbers printed in them. Asks
`numpy.testing.assert_allclose` and `array_equal` whether each pair agrees, and the example program on which rung it
stands. Prints every pair that differs and how many were compared, and exits with 1 if any differs.

Ours is not always NumPy's answer, on purpose, and NumPy is then asked the question that we answer:

- Distances are computed in double precision. NumPy is given its arrays as doubles; how often it says something else
  about the arrays as they are, is counted and printed.
- Whole numbers know only the absolute tolerance, and are exact: they are compared with Python's own integers.
- A shape is not stretched to another.
"""

import argparse
import collections
import csv
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np

BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "debug/examples/compare"
WHOLE = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
FLOATS = ["f2", "f4", "f8"]
COMPLEX = ["c8", "c16"]
SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1e-310, -1e-45, 6e-8, 65504.0, 3.4028234663852886e38,
           1.7976931348623157e308, 1.0, -1.0, 2.0**53, 1e-7, 0.1]
SHAPES = [(), (0,), (1,), (7,), (2, 3), (3, 1, 2), (0, 4), (2, 2, 2, 2)]
RUNGS = ["same_bytes", "same_normalised", "within_tolerance", "other_numbers", "other_text"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)

    def floats(self, size):
        kind = self.random.randrange(3)
        if kind == 0:
            values = self.numpy.normal(size=size)
        elif kind == 1:
            values = self.numpy.normal(size=size) * 10.0 ** self.numpy.integers(-12, 12, size=size)
        else:
            values = self.numpy.integers(-5, 5, size=size).astype("f8")
        chosen = self.numpy.random(size) < 0.15
        return np.where(chosen, self.numpy.choice(SPECIAL, size=size), values)

    def array(self, dtype, shape):
        dtype = np.dtype(dtype)
        with np.errstate(all="ignore"):
            if dtype.kind == "b":
                return self.numpy.random(shape) < 0.5
            if dtype.kind in "iu":
                info = np.iinfo(dtype)
                values = self.numpy.integers(info.min, info.max, size=shape, dtype=dtype, endpoint=True)
                small = self.numpy.integers(0, 100, size=shape).astype(dtype)
                return values if self.random.random() < 0.4 else small
            if dtype.kind == "f":
                return np.asarray(self.floats(shape)).astype(dtype)
            if dtype.kind == "c":
                return np.asarray(self.floats(shape) + 1j * self.floats(shape)).astype(dtype)
            if dtype.kind in "Mm":
                values = self.numpy.integers(-10**9, 10**9, size=shape).astype("i8")
                values = np.where(self.numpy.random(shape) < 0.1, np.iinfo("i8").min, values)
                return np.asarray(values).view(dtype)
            words = np.array(["", "a", "b", "abc", "é", "loss"], dtype="U8")
            chosen = np.asarray(self.numpy.choice(words[:4] if dtype.kind == "S" else words, size=shape))
            return chosen.astype(dtype)

    def perturbed(self, array):
        """The same, nearly the same, or something else: how far is drawn so that tolerances decide."""
        array = array.copy()
        kind = self.random.choice(["same", "near", "near", "one", "ulp", "new"])
        if kind == "same" or array.size == 0:
            return array
        other = self.array(array.dtype, array.shape)
        some = self.numpy.random(array.shape) < 0.3
        with np.errstate(all="ignore"):
            if kind == "new":
                return np.asarray(np.where(some, other, array)).astype(array.dtype)
            if kind == "one":
                array.reshape(-1)[self.random.randrange(array.size)] = other.reshape(-1)[0]
                return array
            if array.dtype.kind in "fc":
                if kind == "ulp" and array.dtype.kind == "f":
                    return np.asarray(np.where(some, np.nextafter(array, array.dtype.type(np.inf)), array))
                scale = 10.0 ** self.random.randint(-9, -1)
                noise = 1 + scale * self.numpy.normal(size=array.shape)
                return np.asarray(np.where(some, array * noise, array)).astype(array.dtype)
            if array.dtype.kind in "iu":
                # Without wrapping around.
                step = self.numpy.integers(0, 3, size=array.shape).astype(array.dtype)
                limit = np.iinfo(array.dtype).max - 3
                return np.asarray(np.where(array < limit, array + step, array)).astype(array.dtype)
        return np.asarray(np.where(some, other, array)).astype(array.dtype)

    def stored(self, array):
        """The same values in another layout."""
        if array.dtype.kind not in "?bSO" and self.random.random() < 0.3:
            array = array.astype(array.dtype.newbyteorder(self.random.choice("<>")))
        if self.random.random() < 0.3 and array.ndim:
            array = np.asfortranarray(array)
        return array

    def tolerance(self, ulps=False):
        return {
            **({"ulps": self.random.choice([0, 1, 4])} if ulps else {}),
            "absolute": self.random.choice([0.0, 0.0, 0.0, 1e-9, 1e-3, 1.0, 2.0, 100.0]),
            "relative": self.random.choice([0.0, 1e-7, 1e-7, 1e-5, 1e-3, 0.1]),
            "nan": self.random.choice(["equal", "equal", "equal", "different"]),
        }


def wide(array):
    """The array with doubles in it, if it has floats."""
    return array.astype({"f": "f8", "c": "c16"}.get(array.dtype.kind, array.dtype.newbyteorder("=")))


def allclose(actual, desired, tolerance):
    try:
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(actual, desired, rtol=tolerance["relative"], atol=tolerance["absolute"],
                                       equal_nan=tolerance["nan"] == "equal")
        return True
    except AssertionError:
        return False


def ordinals(array):
    """The places of floats among all that their type can hold, as NumPy's `assert_array_max_ulp` has them."""
    # It writes into what it is given.
    return np.testing._private.utils.integer_repr(array.copy()).reshape(-1).tolist()


def beyond(actual, desired, tolerance):
    """Which floats of one type are beyond a tolerance, in C's order."""
    with np.errstate(all="ignore"):
        close = np.isclose(wide(actual), wide(desired), rtol=tolerance["relative"], atol=tolerance["absolute"],
                           equal_nan=tolerance["nan"] == "equal").reshape(-1)
    # `assert_allclose` looks at infinities first; where a bound overflows, `isclose` takes them for close.
    infinite = np.isinf(actual) != np.isinf(desired)
    close &= ~(infinite & ~(np.isnan(actual) & np.isnan(desired))).reshape(-1)
    if "ulps" in tolerance:
        finite = (np.isfinite(actual) & np.isfinite(desired)).reshape(-1)
        apart = [abs(one - other) for one, other in zip(ordinals(actual), ordinals(desired))]
        close |= finite & np.array([far <= tolerance["ulps"] for far in apart], dtype="?")
    return ~close.reshape(actual.shape)


def agree(actual, desired, tolerance):
    """Whether NumPy, asked our question, finds these two arrays of one shape to agree; `None` if they don't compare."""
    kinds = actual.dtype.kind + desired.dtype.kind
    if actual.dtype.names or desired.dtype.names:
        if set(actual.dtype.names or ()) != set(desired.dtype.names or ()):
            return None
        answers = [agree(actual[name], desired[name], tolerance) for name in desired.dtype.names]
        return None if None in answers else all(answers)
    if all(kind in "biu" for kind in kinds):
        pairs = zip(actual.reshape(-1).tolist(), desired.reshape(-1).tolist())
        return all(abs(int(one) - int(other)) <= tolerance["absolute"] for one, other in pairs)
    if all(kind in "biufc" for kind in kinds):
        if "ulps" in tolerance:
            return not beyond(actual, desired, tolerance).any()
        return allclose(wide(actual), wide(desired), tolerance)
    if kinds in ("MM", "mm"):
        missing = np.isnat(desired).any() and tolerance["nan"] == "different"
        both = np.isnat(actual) == np.isnat(desired)
        return bool(both.all()) and not missing and bool((actual == desired)[~np.isnat(desired)].all())
    if kinds in ("SS", "UU"):
        return True if np.array_equal(actual, desired) else None
    return None


class Pairs:
    """Pairs of files, and what is said of them."""

    def __init__(self, folder):
        self.folder, self.lines, self.wanted = folder, [], []

    def add(self, kind, expected, actual, tolerance, wanted, note, policy=None, first=None, largest=None):
        """`first` is the index of the first element that must be found, `largest` the distance."""
        names = [f"{len(self.lines)}.{side}.{kind}" for side in "ea"]
        for name, data in zip(names, (expected, actual)):
            (self.folder / name).write_bytes(data)
        policy = policy or {"tolerance": tolerance}
        self.lines.append(json.dumps({"expected": names[0], "actual": names[1], "policy": policy}))
        self.wanted.append((kind, wanted, note, first, largest))

    def check(self):
        done = subprocess.run([BINARY, self.folder], input="\n".join(self.lines), text=True, stdout=subprocess.PIPE,
                              check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(self.wanted), (len(answers), len(self.wanted))
        counts, different = collections.Counter(), 0
        for line, (kind, wanted, note, first, largest), answer in zip(self.lines, self.wanted, answers):
            rung = answer["rung"]
            counts[kind, rung] += 1
            where = answer.get("divergence", {}).get("place", {}).get("element", {}).get("index")
            farthest = answer.get("numbers", {}).get("largest_absolute")
            wrong = rung not in wanted
            if rung == "other_numbers" and kind in ("npy", "npz"):
                counts["places"] += first is not None
                wrong |= first is not None and where != first or largest is not None and farthest != largest
            if wrong:
                different += 1
                print(f"DIFFERS: {note}: {rung}, and NumPy says {wanted} {first} {largest}\n  {line}\n  {answer}")
        return counts, different


CLOSE, BEYOND, OTHER = RUNGS[:3], RUNGS[3:4], RUNGS[4:]


def rungs(actual, desired, answer):
    if actual.shape != desired.shape or answer is None:
        return OTHER
    return CLOSE if answer else BEYOND


def saved(maker, array, version=None):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version, allow_pickle=False)
    return buffer.getvalue()


def arrays(maker, pairs, count):
    native = 0
    versions = [None, None, (1, 0), (2, 0), (3, 0)]
    for number in range(count):
        kind = maker.random.random()
        shape = maker.random.choice(SHAPES)
        tolerance = maker.tolerance()
        if kind < 0.1:
            # Close by representable numbers.
            desired = maker.array(maker.random.choice(FLOATS), shape)
            actual, tolerance = maker.perturbed(desired), maker.tolerance(ulps=True)
        elif kind < 0.55:
            dtype = maker.random.choice(WHOLE + FLOATS * 3 + COMPLEX * 3)
            desired = maker.array(dtype, shape)
            actual = maker.perturbed(desired)
        elif kind < 0.7:
            # Another type, of values that both can hold more or less.
            desired = maker.array(maker.random.choice(WHOLE[:4] + FLOATS + COMPLEX), shape)
            dtype = maker.random.choice(FLOATS + COMPLEX + ["i8"] * (desired.dtype.kind in "biu"))
            with np.errstate(all="ignore"):
                if desired.dtype.kind == "c" and dtype in FLOATS:
                    dtype = "c8"
                actual = maker.perturbed(desired.astype(dtype))
        elif kind < 0.78:
            dtype = maker.random.choice(["M8[s]", "M8[ns]", "m8[ms]", "m8[25s]", "S4", "U6", "M8[D]"])
            desired = maker.array(dtype, shape)
            actual = maker.perturbed(desired)
            if dtype == "M8[s]" and maker.random.random() < 0.5:
                actual = actual.astype("M8[ms]")
        elif kind < 0.9:
            fields = [("a", "f8"), ("b", "i4"), ("c", "U3"), ("d", "f4", (2,)), ("e", "c16"), ("f", "?")]
            fields = maker.random.sample(fields, maker.random.randint(1, 5))
            dtype = np.dtype(fields, align=maker.random.random() < 0.5)
            desired, actual = np.zeros(shape, dtype), np.zeros(shape, dtype)
            for name in dtype.names:
                base = dtype[name].base
                full = shape + dtype[name].shape
                desired[name] = maker.array(base, full)
                same = maker.random.random() < 0.5
                actual[name] = desired[name] if same else maker.perturbed(np.asarray(desired[name]))
        else:
            # Anything beside anything.
            desired = maker.array(maker.random.choice(WHOLE + FLOATS + COMPLEX + ["S3", "U3", "M8[s]", "m8[s]"]), shape)
            actual = maker.array(maker.random.choice(WHOLE + FLOATS + COMPLEX + ["S3", "U3", "M8[s]", "m8[s]"]),
                                 maker.random.choice([shape, shape, maker.random.choice(SHAPES)]))
        answer = actual.shape == desired.shape and agree(actual, desired, tolerance)
        wanted = rungs(actual, desired, answer)
        first = largest = None
        if actual.dtype == desired.dtype and actual.shape == desired.shape:
            if answer and desired.dtype.kind not in "SUMmV":
                # The same bits are more than what is close.
                wanted = RUNGS[:2] if actual.tobytes() == desired.tobytes() else RUNGS[2:3]
                missing = desired.dtype.kind in "fc" and np.isnan(desired).any()
                if missing and tolerance["nan"] == "different":
                    wanted = BEYOND
            if desired.dtype.kind in "fc" and not answer:
                first = np.argwhere(beyond(actual, desired, tolerance))[0].tolist()
                with np.errstate(all="ignore"):
                    apart = np.abs(wide(actual) - wide(desired))
                    apart = apart[np.isfinite(wide(actual)) & np.isfinite(wide(desired)) & np.isfinite(apart)]
                if desired.dtype.kind == "f" and (apart > 0).any():
                    largest = float(apart.max())
        if desired.dtype.names is None and desired.dtype.kind in "fc" and actual.dtype.kind in "fc":
            if actual.shape == desired.shape and "ulps" not in tolerance:
                native += allclose(actual, desired, tolerance) != answer
        note = f"{desired.dtype}{desired.shape} {actual.dtype}{actual.shape}"
        one, other = maker.stored(desired), maker.stored(actual)
        if maker.random.random() < 0.2:
            packed = []
            for array in (one, other):
                buffer = io.BytesIO()
                save = maker.random.choice([np.savez, np.savez_compressed])
                save(buffer, x=array, y=np.arange(3))
                packed.append(buffer.getvalue())
            pairs.add("npz", *packed, tolerance, equal(packed, wanted), note, None, first, largest)
        else:
            packed = [saved(maker, array, maker.random.choice(versions)) for array in (one, other)]
            pairs.add("npy", *packed, tolerance, equal(packed, wanted), note, None, first, largest)
    return native


def equal(packed, wanted):
    """The same bytes are the same, whatever is in them."""
    return RUNGS[:1] if packed[0] == packed[1] else wanted


def numbers(maker, length):
    desired = [float(value) for value in maker.array("f8", (length,))]
    actual = [float(value) for value in maker.perturbed(np.array(desired))]
    for place in range(length):
        if maker.random.random() < 0.3:
            whole = maker.random.choice([3, 10**6, 2**53, 10**25]) * maker.random.choice([1, -1])
            desired[place], actual[place] = whole, whole + maker.random.choice([0, 0, 0, 1, 2])
        elif maker.random.random() < 0.1:
            desired[place] = maker.random.randrange(100)
            actual[place] = float(desired[place])
    return desired, actual


def all_close(desired, actual, tolerance):
    for one, other in zip(desired, actual):
        if isinstance(one, int) and isinstance(other, int):
            close = abs(one - other) <= tolerance["absolute"]
            if not close or (abs(one) >= 10**38):
                return close
        elif not allclose(float(other), float(one), tolerance):
            return False
    return True


def texts(maker, pairs, count):
    spell = [repr, str, lambda x: f"{x:+}", lambda x: f"{x:.17e}" if isinstance(x, float) else str(x)]
    for _ in range(count):
        tolerance = maker.tolerance()
        desired, actual = numbers(maker, maker.random.randint(1, 8))
        wanted = CLOSE if all_close(desired, actual, tolerance) else BEYOND
        kind = maker.random.choice(["txt", "json", "csv"])
        note = f"{desired} {actual}"
        if kind == "txt":
            words = [maker.random.choice(["loss: ", "[", "x=", "\n", "model v2 (", "acc ", " | "]) for _ in desired]
            tail = maker.random.choice([";", "%", " ms", "]", ")\n"])

            def printed(values):
                # White space beside numbers says nothing.
                return "".join(
                    word + maker.random.choice(["", " "]) + maker.random.choice(spell)(value)
                    + tail for word, value in zip(words, values)).encode()

            # ` 12 ms` is a duration, which a rule takes out.
            policy = {"tolerance": tolerance, "rules": ["spelling"]}
            data = [printed(desired), printed(actual)]
            pairs.add(kind, *data, tolerance, equal(data, wanted), note, policy)
        elif kind == "json":
            def written(values):
                tree = {"a": values[:2], "b": {"c": values[2:], "d": None, "e": "text"}}
                if maker.random.random() < 0.5:
                    tree = dict(reversed(tree.items()))
                return json.dumps(tree, indent=maker.random.choice([None, 1])).encode()

            data = [written(desired), written(actual)]
            pairs.add(kind, *data, tolerance, equal(data, wanted), note)
        else:
            names = [f"c{place}" for place in range(len(desired))]
            order = names[:]
            maker.random.shuffle(order)

            def table(order, values):
                buffer = io.StringIO()
                writer = csv.writer(buffer, quoting=maker.random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
                                    lineterminator=maker.random.choice(["\n", "\r\n"]))
                writer.writerow(order)
                row = dict(zip(names, values))
                writer.writerow([row[name] for name in order])
                return buffer.getvalue().encode()

            data = [table(names, desired), table(order, actual)]
            pairs.add(kind, *data, tolerance, equal(data, wanted), note)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=4000, help="of arrays, and as many of texts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = arguments.keep or pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        maker, pairs = Maker(arguments.seed), Pairs(folder)
        native = arrays(maker, pairs, arguments.pairs)
        texts(maker, pairs, arguments.pairs)
        counts, different = pairs.check()
    places = counts.pop("places")
    for (kind, rung), count in sorted(counts.items()):
        print(f"{kind:5} {rung:17} {count}")
    print(f"in {places} the first element that is beyond, and the largest distance, were compared too")
    print(f"{sum(counts.values())} pairs, {different} differ; NumPy in its arrays' own precision says something else "
          f"about {native}")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
