#!/usr/bin/env python3
"""Writes pairs of files of arrays, and what NumPy says of how the arrays in them differ.

    python3 caliper-core/tests/arrays/reference.py [--check]

Needs numpy, h5py, safetensors and ml_dtypes. Without an option, makes `files/` and `reference.json` anew. With `--check`,
writes nothing: the committed files, read by these libraries, must still say what `reference.json` says, and so must
files that are made anew. `caliper-core/tests/arrays.rs` holds `analysis::compare` against the same.

A distance is computed in double precision, relative to the expected value, and in representable numbers of the coarser
of the two types.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import zipfile

import h5py
import ml_dtypes
import numpy as np
import safetensors.numpy

HERE = pathlib.Path(__file__).parent
FORMATS = ["npy", "npz", "safetensors", "h5"]
# What safetensors calls the types of NumPy.
NAMES = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "|b1": "BOOL", "bfloat16": "BF16"}


def arrays(kind):
    made = {
        "weights": np.array([[1.0, -2.5, 0.0], [3.0e-5, 65504.0, 0.1]], dtype="<f4"),
        "bias": np.array([0.1, -1e300, 0.0, 7.0], dtype="<f8"),
        "half": np.array([1.0, 0.333, -6e-8, 2048.0, 0.0], dtype="<f2"),
        "steps": np.array([3, -(2**62), 0], dtype="<i8"),
        "mask": np.array([True, False]),
    }
    if kind == "npy":
        return {"weights": made["weights"]}
    if kind == "safetensors":
        made["brain"] = np.array([1.0, -0.3, 3e38, 0.0], dtype=ml_dtypes.bfloat16)
    return made


def next_after(array, index):
    """The array with one element that is the next larger number of its type."""
    changed = array.copy()
    bits = changed.view({2: "i2", 4: "i4", 8: "i8"}[array.dtype.itemsize])
    bits[index] += 1
    return changed


def variants(kind):
    """Of each variant the expected and the actual arrays."""
    same = arrays(kind)
    changed = {name: array.copy() for name, array in same.items()}

    def replaced(**others):
        return {**changed, **others}

    yield "equal", same, same
    one = {name: next_after(array, (0,) * array.ndim) for name, array in same.items() if array.dtype.kind in "fV"}
    yield "one_ulp", same, replaced(**one)
    with_nan = {"weights": same["weights"].copy()}
    with_nan["weights"][0, 1] = np.nan
    other_nan = {"weights": with_nan["weights"].copy()}
    other_nan["weights"].view("i4")[0, 1] |= 1
    yield "nan", {**same, **with_nan}, replaced(**other_nan)
    with_zero = same["weights"].copy()
    with_zero[0, 2] = -0.0
    yield "negative_zero", same, replaced(weights=with_zero)
    wider = same["weights"].astype("<f8")
    wider[1, 0] *= 2
    yield "other_dtype", same, replaced(weights=wider)
    yield "other_shape", same, replaced(weights=same["weights"].reshape(3, 2))
    if kind != "npy":
        yield "missing", same, {name: array for name, array in changed.items() if name != "bias"}
        yield "extra", same, replaced(more=np.arange(4, dtype="<i8"))
        numbers = same["steps"].copy()
        numbers[[0, 1]] += [5, 1]
        yield "whole", same, replaced(steps=numbers, mask=np.array([True, True]))
    if kind != "safetensors":
        swapped = same["weights"].astype(">f4")
        swapped[1, 2] = 0.25
        yield "big_endian", same, replaced(weights=swapped)
    if kind in ("npy", "npz"):
        fortran = np.asfortranarray(same["weights"])
        fortran[0, 1] = -2.0
        yield "fortran", same, replaced(weights=fortran)
    far = same["weights"].copy()
    far[0, 0] = np.inf
    far[1, 1] = -1.0
    yield "infinite", same, replaced(weights=far)


def save(path, kind, arrays, other):
    """`other` writes the same in another way."""
    if kind == "npy":
        with path.open("wb") as file:
            np.lib.format.write_array(file, arrays["weights"], version=(2, 0) if other else (1, 0))
    elif kind == "npz":
        # Not `savez`, which writes the time into the archive.
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy")
                entry.compress_type = zipfile.ZIP_DEFLATED if other else zipfile.ZIP_STORED
                with archive.open(entry, "w") as file:
                    np.lib.format.write_array(file, array)
    elif kind == "safetensors":
        written = safetensors.numpy.save(arrays)
        if other:
            # The header may end with spaces.
            length = int.from_bytes(written[:8], "little")
            written = (length + 8).to_bytes(8, "little") + written[8 : 8 + length] + b" " * 8 + written[8 + length :]
        path.write_bytes(written)
    else:
        # The older form is four times as long, so one variant has it.
        old = path.name.startswith("equal.expected")
        with h5py.File(path, "w", libver="earliest" if old else "latest") as file:
            for name, array in arrays.items():
                chunked = {"chunks": array.shape, "compression": "gzip", "shuffle": True} if other else {}
                file.create_dataset(name, data=array, track_times=False, **chunked)


def keras(path, group, change):
    """A file as Keras writes it (`save_weights_to_hdf5_group` of its legacy format): layers that are not in
    alphabetical order, and one without weights."""
    layers = [("input", []), ("second", [("kernel:0", (2, 3)), ("bias:0", (3,))]), ("first", [("kernel:0", (3, 1))])]
    with h5py.File(path, "w", libver="earliest" if group else "latest") as file:
        at = file.create_group(group) if group else file
        at.attrs["layer_names"] = np.array([name.encode() for name, _ in layers])
        at.attrs["backend"] = "tensorflow"
        for number, (layer, weights) in enumerate(layers):
            inner = at.create_group(layer)
            inner.attrs["weight_names"] = np.array([f"{layer}/{name}".encode() for name, _ in weights], dtype="S16")
            for name, shape in weights:
                values = np.arange(np.prod(shape), dtype="<f4").reshape(shape) + number
                if change and name == "kernel:0":
                    values.flat[-1] += 0.5
                inner.create_dataset(f"{layer}/{name}", data=values, track_times=False)


def hostile(folder):
    """Small files that stand for much: a circle of links, groups in groups, an array that no memory holds."""
    with h5py.File(folder / "circle.h5", "w", libver="latest") as file:
        group = file.create_group("a/b")
        group["back"], group["self"] = file["/"], group
        file["other"] = file["a"]
        group.create_dataset("x", data=np.arange(3), track_times=False)
        file["y"] = group["x"]
        file["nowhere"] = h5py.SoftLink("/missing")
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    with h5py.File(folder / "deep.h5", "w", libver="latest") as file:
        group = file
        for _ in range(300):
            group = group.create_group("g")
    with h5py.File(folder / "huge.h5", "w", libver="latest") as file:
        file.create_dataset("x", shape=(2**60,), chunks=(1024,), dtype="f8", track_times=False)


def load(path):
    kind = path.suffix[1:]
    if kind == "npy":
        return {None: np.load(path)}
    if kind == "npz":
        with np.load(path) as file:
            return {name: file[name] for name in file}
    if kind == "safetensors":
        types = {name: np.dtype(dtype) for dtype, name in NAMES.items() if name != "BF16"}
        types["BF16"] = np.dtype(ml_dtypes.bfloat16)
        return {
            name: np.frombuffer(info["data"], types[info["dtype"]]).reshape(info["shape"])
            for name, info in safetensors.deserialize(path.read_bytes())
        }
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, thing: isinstance(thing, h5py.Dataset) and found.update({name: thing[()]}) or None)
    return found


def ordinal(array, dtype):
    bits = np.atleast_1d(array.astype(dtype)).view({2: "i2", 4: "i4", 8: "i8"}[np.dtype(dtype).itemsize]).astype(object)
    size = np.dtype(dtype).itemsize * 8
    flat = [int(value) for value in bits.flat]
    return [value if value >= 0 else -(value + (1 << (size - 1))) for value in flat]


def is_float(dtype):
    return dtype.kind == "f" or dtype == ml_dtypes.bfloat16


def kind_of(array, kind):
    name = "bfloat16" if array.dtype == ml_dtypes.bfloat16 else array.dtype.str
    return {"dtype": NAMES[name] if kind == "safetensors" else name, "shape": list(array.shape)}


def compared(name, expected, actual, kind):
    found = {"name": name, "elements": 0, "differing": 0, "other_bits": 0}
    found["expected"] = None if expected is None else kind_of(expected, kind)
    found["actual"] = None if actual is None else kind_of(actual, kind)
    if expected is None or actual is None or expected.shape != actual.shape:
        return found
    floats = is_float(expected.dtype) and is_float(actual.dtype)
    one, other = (expected.astype("f8"), actual.astype("f8")) if floats else (expected.astype(object), actual.astype(object))
    differ = one != other
    if floats:
        differ &= ~(np.isnan(one) & np.isnan(other))
    found["elements"] = int(expected.size)
    found["differing"] = int(differ.sum())
    native = [array.astype(array.dtype.newbyteorder("<")) for array in (expected, actual)]
    bits = np.zeros(expected.shape, bool)
    if native[0].dtype == native[1].dtype:
        words = {1: "u1", 2: "u2", 4: "u4", 8: "u8"}[native[0].dtype.itemsize]
        bits = np.ascontiguousarray(native[0]).view(words) != np.ascontiguousarray(native[1]).view(words)
        bits &= ~differ
    found["other_bits"] = int(bits.sum())
    places = np.argwhere(differ if differ.any() else bits)
    if len(places):
        found["first"] = places[0].tolist()
    if not differ.any():
        return found if bits.any() or native[0].dtype != native[1].dtype else None
    with np.errstate(all="ignore"):
        if floats:
            apart = np.abs(other - one)
            finite = np.isfinite(one) & np.isfinite(other) & differ
            relative = (apart / np.abs(one))[finite & (one != 0)]
            apart = apart[finite]
            coarser = min((expected.dtype, actual.dtype), key=lambda dtype: (dtype.itemsize, dtype.kind))
            coarser = coarser.newbyteorder("<")
            pairs = zip(ordinal(one, coarser), ordinal(other, coarser), finite.flat)
            ulps = [abs(left - right) for left, right, is_finite in pairs if is_finite]
            found["ulps"] = max(ulps) if ulps else None
        else:
            pairs = [(int(left), int(right)) for left, right in zip(one.flat, other.flat) if left != right]
            apart = np.array([float(abs(left - right)) for left, right in pairs])
            relative = np.array([float(abs(left - right)) / abs(left) for left, right in pairs if left])
    found["absolute"] = float(apart.max()) if len(apart) else None
    found["relative"] = float(relative.max()) if len(relative) else None
    return found


def says(folder):
    cases = []
    for path in sorted(folder.glob("*.expected.*")):
        kind = path.suffix[1:]
        variant = path.name.split(".")[0]
        expected, actual = load(path), load(folder / path.name.replace(".expected.", ".actual."))
        found = [compared(name, expected.get(name), actual.get(name), kind) for name in {**expected, **actual}]
        found = [one for one in found if one is not None]
        found.sort(key=lambda one: (one["actual"] is not None, one["expected"] is not None, one["name"] or ""))
        cases.append({"variant": variant, "format": kind, "arrays": found})
    return cases


def make(folder):
    for kind in FORMATS:
        for variant, expected, actual in variants(kind):
            save(folder / f"{variant}.expected.{kind}", kind, expected, False)
            save(folder / f"{variant}.actual.{kind}", kind, actual, variant == "equal")
    for group in ("", "model_weights"):
        name = f"keras_{'model' if group else 'root'}"
        keras(folder / f"{name}.expected.h5", group, False)
        keras(folder / f"{name}.actual.h5", group, True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    reference = HERE / "reference.json"
    if not check:
        for folder in ("files", "hostile"):
            for path in (HERE / folder).glob("*"):
                path.unlink()
            (HERE / folder).mkdir(exist_ok=True)
        make(HERE / "files")
        hostile(HERE / "hostile")
        lines = ",\n".join(json.dumps(case) for case in says(HERE / "files"))
        reference.write_text(f"[\n{lines}\n]\n")
        return
    known = json.loads(reference.read_text())
    with tempfile.TemporaryDirectory() as folder:
        make(pathlib.Path(folder))
        for what, told in (("the committed files", says(HERE / "files")), ("files made anew", says(pathlib.Path(folder)))):
            wrong = [(old, new) for old, new in zip(known, told) if old != new]
            if len(known) != len(told) or wrong:
                print(f"{what} say something else: {len(known)} and {len(told)} cases", *wrong, sep="\n")
                sys.exit(1)
            print(f"{len(told)} pairs of {what}: as in reference.json")


if __name__ == "__main__":
    main()
