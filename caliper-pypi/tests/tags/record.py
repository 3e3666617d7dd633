"""Records what PyPA's `packaging` says, for `tags.rs` to hold Caliper against.

Run with the `packaging` to agree with installed:

    python tags/record.py > tags/packaging.txt

One line for each interpreter on each platform: its facts, the number of its tags, and a digest over
all of them in order.
"""

import hashlib
import pathlib
import sys

import packaging
from packaging import tags

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "tests/packaging"))
import rules  # noqa: E402

LINUX = [("x86_64", "glibc", v) for v in [(2, 4), (2, 5), (2, 17), (2, 31), (2, 36), (3, 1)]] + [
    ("x86_64", "musl", (1, 1)),
    ("x86_64", "musl", (1, 2)),
    ("i686", "glibc", (2, 12)),
    ("aarch64", "glibc", (2, 36)),
    ("aarch64", "musl", (1, 2)),
    ("armv7l", "glibc", (2, 31)),
    ("armv8l", "glibc", (2, 31)),
    ("ppc64le", "glibc", (2, 28)),
    ("s390x", "glibc", (2, 28)),
    ("riscv64", "glibc", (2, 39)),
    ("loongarch64", "glibc", (2, 38)),
    ("mips64", "glibc", (2, 36)),
]
MACS = [((major, minor), arch) for major, minor in [(10, 3), (10, 9), (10, 15), (11, 0), (14, 2), (26, 1)]
        for arch in ["x86_64", "arm64"]]
WINDOWS = ["amd64", "arm64", "32"]

CPYTHONS = [((2, 7), "cp27m"), ((2, 7), "cp27mu")]
CPYTHONS += [((3, minor), f"cp3{minor}" + ("m" if minor < 8 else "")) for minor in range(3, 16)]
CPYTHONS += [((3, minor), f"cp3{minor}t") for minor in range(13, 16)]
CPYTHONS += [((3, 7), "cp37dm"), ((3, 11), "cp311d"), ((3, 13), "cp313td")]
OTHERS = [
    ("pypy", (2, 7), "pypy_73"),
    ("pypy", (3, 6), "pypy36_pp73"),
    ("pypy", (3, 9), "pypy39_pp73"),
    ("pypy", (3, 11), "pypy311_pp73"),
    ("graalpy", (3, 11), "graalpy242_311_native"),
]


def platforms():
    for arch, libc, version in LINUX:
        yield f"linux {arch} {libc} {version[0]} {version[1]}", rules.linux_platforms(arch, libc, version)
    for version, arch in MACS:
        yield f"macos {version[0]} {version[1]} {arch}", list(tags.mac_platforms(version, arch))
    for arch in WINDOWS:
        yield f"windows {arch}", ["win32" if arch == "32" else f"win_{arch}"]


def other(name, version, abi, platforms):
    nodot = "".join(map(str, version))
    short = tags.INTERPRETER_SHORT_NAMES.get(name, name)
    yield from tags.generic_tags(f"{short}{nodot}", [abi], platforms)
    yield from tags.compatible_tags(version, "pp3" if short == "pp" else None, platforms)


def main():
    print(f"# packaging {packaging.__version__}; written by record.py")
    for described, of_platform in platforms():
        # mac_platforms may yield nothing for a processor that the version never had.
        of_platform = of_platform or ["none_at_all"]
        interpreters = [("cpython", version, abi, rules.cpython_tags(version, abi, of_platform))
                        for version, abi in CPYTHONS]
        interpreters += [(name, version, abi, other(name, version, abi, of_platform))
                         for name, version, abi in OTHERS]
        for name, version, abi, yielded in interpreters:
            listed = [tag for tag in yielded if tag.platform != "none_at_all"]
            text = "".join(f"{tag}\n" for tag in listed)
            digest = hashlib.sha256(text.encode()).hexdigest()
            print(f"{name} {version[0]}.{version[1]} {abi} {described}: {len(listed)} {digest}")


if __name__ == "__main__":
    main()
