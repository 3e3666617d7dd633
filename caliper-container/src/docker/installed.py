# Stands behind distributions.py. Asked of every environment, with the name of the dependency behind it. Runs on 2.7 and on
# 3.x, and needs only the standard library.
#
# Run with `-E -s -S`: a `.pth` file is a program of whoever was installed, and could answer in place of
# this one. So what `site` would have done is done here, without running anything.
import json


def files(folder, name):
    """The installed files of a distribution, relative to `folder`, as far as it says."""
    found = listed(folder, name)
    if found is not None:
        return found
    modules = read(folder, name, "top_level.txt") or ""
    return [line.strip() + ".py" for line in modules.splitlines() if line.strip()]


def shares_its_name(path):
    """Whether an `__init__.py` makes its package a namespace."""
    # https://packaging.python.org/en/latest/guides/packaging-namespace-packages/
    try:
        small = os.path.getsize(path) <= 4096
    except (IOError, OSError):
        return False
    text = (small and read(path)) or ""
    return "extend_path" in text or "declare_namespace" in text


def origin(folder, name):
    """What installed a distribution, and what its wheel says of itself."""
    tags, build = [], None
    # https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-contents
    for line in (read(folder, name, "WHEEL") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "tag":
            tags.append(value.strip())
        elif key.strip().lower() == "build":
            build = value.strip()
    installer = read(folder, name, "INSTALLER")
    # Without wheels pip wrote this, and let setuptools do the rest.
    if installer is None and read(folder, name, "installed-files.txt") is not None:
        installer = "pip"
    return {"installer": installer and installer.strip(), "tags": tags, "build": build}


def distribution(folder, name, metadata):
    """What a distribution says of itself, and its files."""
    inner = "EGG-INFO" if name.endswith(".egg") else ""
    paths = files(folder, name)
    # A namespace stands at the top, or in one.
    inits = [path for path in paths if path.endswith("__init__.py") and path.count("/") <= 4]
    return {
        "metadata": metadata,
        "top_level": read(folder, name, inner, "top_level.txt") or "",
        "namespaces": read(folder, name, inner, "namespace_packages.txt") or "",
        "paths": paths,
        "shared": [path for path in inits if shares_its_name(os.path.join(folder, path))],
    }


def own_environment():
    """The virtual environment that this Python stands for, and whether it sees its base's packages."""
    # https://peps.python.org/pep-0405/
    programs = os.path.dirname(os.path.abspath(sys.executable))
    for folder in (programs, os.path.dirname(programs)):
        text = read(folder, "pyvenv.cfg")
        if text is not None:
            pairs = [line.partition("=") for line in text.lower().splitlines()]
            system = [value.strip() for key, _, value in pairs if key.strip() == "include-system-site-packages"]
            return folder, "true" in system
    return None, True


def of_prefixes(prefixes):
    if sys.version_info >= (3, 3):
        import site  # does nothing by itself, unlike that of 2.7

        sys.prefix = sys.exec_prefix = prefixes[0]  # which that of Debian looks at
        return site.getsitepackages(prefixes)
    version = "python%d.%d" % sys.version_info[:2]
    places = ("local/lib/%s/dist-packages", "lib/%s/dist-packages", "lib64/%s/site-packages", "lib/%s/site-packages")
    return [os.path.join(prefix, place % version) for prefix in prefixes for place in places]


def of_user():
    if sys.version_info >= (3, 3):
        import site

        return [site.getusersitepackages()]
    return [os.path.expanduser("~/.local/lib/python%d.%d/site-packages" % sys.version_info[:2])]


def with_paths(folders):
    """Packages' folders, and those that their `.pth` files name."""
    # https://docs.python.org/3/library/site.html
    for folder in folders:
        if not os.path.isdir(folder):
            continue
        yield folder
        for name in sorted(os.listdir(folder)):
            if name.endswith(".pth") and not name.startswith("."):
                for line in (read(folder, name) or "").splitlines():
                    if line.strip() and not line.startswith(("#", "import ", "import\t")):
                        yield os.path.join(folder, line.rstrip())


def folders():
    for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) + sys.path:
        if folder:
            yield folder
    base = [sys.prefix, sys.exec_prefix]
    own, sees_base = own_environment()
    if own:
        for folder in with_paths(of_prefixes([own])):
            yield folder
    if sees_base:
        for folder in with_paths(of_user() + of_prefixes(base)):
            yield folder


wanted = normal(sys.argv[1])
installed = {}
found = None
for folder in folders():
    if not os.path.isdir(folder):
        continue
    for name in sorted(os.listdir(folder)):
        if name.endswith(".dist-info"):
            text = read(folder, name, "METADATA")
        elif name.endswith((".egg-info", ".egg")):
            # A folder, or with distutils a single file.
            inner = "EGG-INFO" if name.endswith(".egg") else ""
            text = read(folder, name, inner, "PKG-INFO") or read(folder, name)
        else:
            continue
        project, version = identity(text or "")
        # What comes first on the path hides what comes later.
        if not project or not version or normal(project) in installed:
            continue
        told = origin(folder, name)
        told.update(name=project, version=version, direct_url=read(folder, name, "direct_url.json"))
        installed[normal(project)] = told
        if normal(project) == wanted:
            found = distribution(folder, name, text)

print(json.dumps({"installed": [installed[name] for name in sorted(installed)], "found": found}))
