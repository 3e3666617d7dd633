# Runs a command, then writes the arrays in the files of Python objects that it left. Stands behind started.py:
# python -E -c THIS '["out/*.pt"]' python train.py
# Beside each file NAME stands NAME.export.npz then. For Python 2.7 and later. What a file holds is code that runs when it is
# read, so this is for the place where the file was written, and for no other.
import json
import re
import types

DEPTH = 64


def main():
    globs, command = json.loads(sys.argv[1]), sys.argv[2:]
    status = call(command)
    if status:
        leave(status)
    # The test's own modules may be needed to read its objects.
    sys.path.insert(0, os.getcwd())
    # Python 2 empties a module that nobody holds.
    held, sys.modules["__main__"] = sys.modules["__main__"], Main("__main__")
    for path in matching([expression(glob) for glob in globs]):
        try:
            export(path)
        except Exception as error:
            sys.stderr.write("cannot export %s: %s: %s\n" % (path, type(error).__name__, error))
            sys.exit(1)
    del held


def expression(glob):
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in parts) + r"\Z")


def matching(expressions):
    found = []
    for folder, folders, files in os.walk("."):
        folders.sort()
        for name in sorted(files + folders):
            path = os.path.relpath(os.path.join(folder, name), ".").replace(os.sep, "/")
            if any(expression.match(path) for expression in expressions):
                # Of folders only those that TensorFlow writes.
                if os.path.isfile(path) or os.path.isfile(os.path.join(path, "saved_model.pb")):
                    found.append(path)
    return found


def export(path):
    import numpy

    arrays = {}
    flatten(read(path), "", arrays, 0, set())
    target = path + ".export.npz"
    with open(target, "wb") as file:
        numpy.savez(file, **{name or "value": value for name, value in arrays.items()})


# In place of a class of the script itself. It holds whatever it is given.
class StandIn(object):
    def __new__(cls, *args, **named):
        return object.__new__(cls)

    def __init__(self, *args, **named):
        pass

    def __setstate__(self, state):
        self.__dict__.update(state if isinstance(state, dict) else {"state": state})

    def append(self, item):
        self.__dict__.setdefault("items", []).append(item)

    def extend(self, items):
        self.__dict__.setdefault("items", []).extend(items)

    def __setitem__(self, key, item):
        self.__dict__.setdefault("items", []).append((key, item))


# The module that the test's script was is another one now.
class Main(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(str(name), (StandIn,), {"__module__": "__main__"})
        setattr(self, name, made)
        return made


def read(path):
    if os.path.isdir(path):
        import tensorflow

        variables = tensorflow.saved_model.load(path).variables
        return [(variable.name, variable.numpy()) for variable in variables]
    ending = os.path.splitext(path)[1]
    if ending in (".pt", ".pth", ".bin", ".ckpt"):
        import torch

        try:
            return torch.load(path, map_location="cpu", weights_only=False)
        except TypeError:
            return torch.load(path, map_location="cpu")
    if ending in TABLES:
        return table(path, ending)
    if ending == ".joblib":
        import joblib

        return joblib.load(path)
    import pickle

    with open(path, "rb") as file:
        return pickle.load(file)


TABLES = (".parquet", ".feather", ".arrow", ".orc")


# The columns of a table by name. Row groups, compression and what libraries write beside the columns say nothing.
def table(path, ending):
    try:
        import pyarrow
    except ImportError:
        import pandas

        return getattr(pandas, "read_" + ending.strip(".").replace("arrow", "feather"))(path)
    if ending == ".parquet":
        import pyarrow.parquet

        found = pyarrow.parquet.ParquetFile(path).read()
    elif ending == ".orc":
        import pyarrow.orc

        found = pyarrow.orc.read_table(path)
    else:
        with pyarrow.memory_map(path) as file:
            try:
                found = pyarrow.ipc.open_file(file).read_all()
            except pyarrow.ArrowInvalid:
                file.seek(0)
                found = pyarrow.ipc.open_stream(file).read_all()
    if len(set(found.column_names)) < len(found.column_names):
        raise ValueError("two columns have one name")
    return {name: column(found.column(name)) for name in found.column_names}


# What is missing is told apart from values such as NaN.
def column(values):
    import numpy
    import pyarrow

    kind = values.type
    if pyarrow.types.is_dictionary(kind):
        values = pyarrow.chunked_array(
            [chunk.dictionary_decode() for chunk in values.chunks], type=kind.value_type
        )
        kind = values.type
    missing = values.is_null().to_numpy()
    plain = (
        pyarrow.types.is_integer(kind)
        or pyarrow.types.is_floating(kind)
        or pyarrow.types.is_boolean(kind)
    )
    if plain and missing.any():
        values = values.fill_null(False if pyarrow.types.is_boolean(kind) else 0)
    if plain or pyarrow.types.is_timestamp(kind) or pyarrow.types.is_duration(kind):
        found = values.to_numpy()
    else:
        found = numpy.array(["" if one is None else text(one) for one in values.to_pylist()], dtype=str)
    return {"values": found, "missing": missing} if missing.any() else found


def text(value):
    return value if isinstance(value, str) else repr(value)


# The arrays, numbers and texts of an object, by the way to them.
def flatten(value, way, arrays, depth, above):
    import numpy

    if id(value) in above or depth > DEPTH:
        arrays[way] = numpy.array("(see above)")
        return
    below = above | {id(value)}

    def member(name, child):
        name = str(name).replace("/", "%2F")
        flatten(child, way + "/" + name if way else name, arrays, depth + 1, below)

    if isinstance(value, (numpy.ndarray, numpy.generic)):
        if value.dtype == object and all(isinstance(child, str) for child in value.ravel()):
            arrays[way] = numpy.asarray(value, dtype=str)
        elif value.dtype == object:
            arrays[way + ".shape"] = numpy.array(value.shape, dtype="int64")
            for place, child in enumerate(value.ravel()):
                member(place, child)
        else:
            arrays[way] = numpy.asarray(value)
    elif value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        plain = value if not isinstance(value, int) or abs(value) < 2 ** 63 else str(value)
        arrays[way] = numpy.array(repr(value) if value is None else plain)
    elif hasattr(value, "detach") and hasattr(value, "cpu"):
        tensor = value.detach().cpu()
        if "bfloat16" in str(tensor.dtype):
            # Exactly the same numbers; NumPy has no such type.
            tensor = tensor.float()
        arrays[way] = tensor.numpy()
    elif isinstance(value, dict):
        # In no order: dictionaries that are equal may have been filled in different ways.
        for key, child in sorted(value.items(), key=lambda item: repr(item[0])):
            member(key, child)
    elif isinstance(value, (list, tuple)):
        if not value:
            arrays[way] = numpy.array([])
        for place, child in enumerate(value):
            member(place, child)
    elif isinstance(value, (set, frozenset)):
        for place, child in enumerate(sorted(value, key=repr)):
            member(place, child)
    elif callable(getattr(value, "state_dict", None)):
        member("state", value.state_dict())
    elif callable(getattr(value, "to_numpy", None)) and hasattr(value, "columns"):
        for column in value.columns:
            member(column, value[column].to_numpy())
    elif callable(getattr(value, "to_numpy", None)):
        member("values", value.to_numpy())
    elif isinstance(getattr(value, "__dict__", None), dict) and not callable(value):
        arrays[way + ".class"] = numpy.array(type(value).__name__)
        for name, child in sorted(vars(value).items()):
            member(name, child)
    else:
        # Its text may hold an address.
        arrays[way] = numpy.array("(%s)" % type(value).__name__)


main()
