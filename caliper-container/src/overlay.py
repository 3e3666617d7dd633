# Stands behind distributions.py. Lays files over an installed package: python overlay.py ORDER REPORT. And tells what was
# laid: python overlay.py REPORT. Runs on 2.7 and on 3.x, and needs only the standard library.
#
# A file of an environment may be a hard link into a cache that many environments share. So nothing is ever written into a
# file that is there: another one is written beside it, and takes its name.
import binascii
import difflib
import hashlib
import json
import stat

# Of the unified diff that is kept.
LONGEST = 256 * 1024


class Refused(Exception):
    pass


def content(path):
    with open(path, "rb") as file:
        return file.read()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def distribution(package):
    """Where a package is installed: its folder, the name of its metadata in that, and its version."""
    for folder in sys.path:
        if not os.path.isdir(folder):
            continue
        for name in sorted(os.listdir(folder)):
            if name.endswith(".dist-info"):
                text = read(folder, name, "METADATA")
            elif name.endswith(".egg-info"):
                # A folder, or with distutils a single file.
                text = read(folder, name, "PKG-INFO") or read(folder, name)
            else:
                continue
            project, version = identity(text or "")
            # What comes first on the path hides what comes later.
            if project and normal(project) == normal(package):
                return folder, name, version
    raise Refused("%s is not installed for this Python" % package)


def target(package, folder, name, path):
    """The place of a file, if it may be laid there."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or os.path.isabs(path):
        raise Refused("`%s` leaves site-packages" % path)
    place = folder
    for part in parts:
        place = os.path.join(place, part)
        if os.path.islink(place):
            raise Refused("`%s` leads through a symbolic link, `%s`" % (path, place))
    if os.path.isdir(place):
        raise Refused("`%s` is a folder of the environment" % path)
    files = listed(folder, name) or []
    modules = (read(folder, name, "top_level.txt") or "").split()
    own = set(file.split("/")[0] for file in files if "/" in file and not file.startswith((".", name)))
    own.update(module for module in modules if os.path.isdir(os.path.join(folder, module)))
    in_own_folder = len(parts) > 1 and parts[0] in own
    if not os.path.exists(place):
        if not in_own_folder:
            raise Refused("`%s` is in no folder of %s, which has %s" % (path, package, ", ".join(sorted(own)) or "none"))
    elif path not in files and not (in_own_folder and not files):
        unknown = "" if files else ", which does not list its files"
        raise Refused("`%s` is not a file of %s%s" % (path, package, unknown))
    return place


def text_of(data):
    """The lines of a text; `None` for what is not text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        if re.search("[\x00-\x08\x0e-\x1f]", text):
            return None
    return None if "\x00" in text else text.splitlines(True)


def compared(path, before, after):
    """A unified diff of two contents, and how many lines were added and removed."""
    old, new = text_of(before or b""), text_of(after)
    if old is None or new is None:
        return "", None, None
    names = ["a/" + path if before is not None else "/dev/null", "b/" + path]
    lines = list(difflib.unified_diff(old, new, names[0], names[1]))
    lines = [line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines]
    changed = [line[0] for line in lines[2:]]
    return "".join(lines), changed.count("+"), changed.count("-")


def replace(place, data):
    folder = os.path.dirname(place)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    known = os.lstat(place) if os.path.exists(place) else None
    beside = place + ".caliper-overlay"
    if os.path.lexists(beside):
        os.remove(beside)
    with open(beside, "wb") as file:
        file.write(data)
    if known is not None:
        os.chmod(beside, stat.S_IMODE(known.st_mode))
        if (known.st_uid, known.st_gid) != (os.getuid(), os.getgid()):
            os.chown(beside, known.st_uid, known.st_gid)
    else:
        os.chmod(beside, 0o644)
    os.rename(beside, place)


def remove_bytecode(place):
    folder, name = os.path.split(place)
    if not name.endswith(".py"):
        return
    beside = [os.path.join(folder, name + ending) for ending in "co"]
    cache = os.path.join(folder, "__pycache__")
    names = os.listdir(cache) if os.path.isdir(cache) else []
    cached = [os.path.join(cache, one) for one in names if re.match(re.escape(name[:-3]) + r"\.[^/]*\.py[co]\Z", one)]
    for path in beside + cached:
        if os.path.lexists(path):
            os.remove(path)


def checked(overlay):
    """What is to be written where. Nothing is written before all of it may be."""
    package = overlay["package"]
    folder, name, version = distribution(package)
    if version != overlay["version"]:
        raise Refused("%s %s is installed, and the overlay is for %s" % (package, version, overlay["version"]))
    for file in overlay["files"]:
        data = binascii.unhexlify(file["content"].encode("ascii"))
        yield file["path"], target(package, folder, name, file["path"]), data


def lay(order, report):
    planned = [list(checked(overlay)) for overlay in order]
    told = []
    for overlay, files in zip(order, planned):
        diff, laid = "", []
        for path, place, data in files:
            before = content(place) if os.path.exists(place) else None
            text, added, removed = compared(path, before, data)
            diff += text
            replace(place, data)
            remove_bytecode(place)
            laid.append({
                "path": path,
                "before": None if before is None else digest(before),
                "after": digest(data),
                "added": added,
                "removed": removed,
                "place": place,
            })
        # Of bytes, so that it may end within a character, which is left out then.
        kept = diff.encode("utf-8")[:LONGEST].decode("utf-8", "ignore")
        told.append({"files": laid, "diff": kept, "is_diff_cut": len(kept) < len(diff)})
    with io.open(report, "w", encoding="ascii") as file:
        file.write(u"" + json.dumps(told))


def tell(report):
    told = json.loads(read(report))
    for overlay in told:
        for file in overlay["files"]:
            if digest(content(file["place"])) != file["after"]:
                raise Refused("`%s` does not have the content that was laid there" % file["place"])
    sys.stdout.write(json.dumps(told))


try:
    if len(sys.argv) > 2:
        lay(json.loads(read(sys.argv[1])), sys.argv[2])
    else:
        tell(sys.argv[1])
except Refused as problem:
    sys.stderr.write("caliper: overlay refused: %s\n" % problem)
    sys.exit(3)
except (IOError, OSError) as problem:
    sys.stderr.write("caliper: overlay failed: %s\n" % problem)
    sys.exit(4)
