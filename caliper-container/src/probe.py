# Asked of every Python that tests run on. Runs on 2.7 and on 3.x, and needs only the standard library.
import json
import platform
import sys
import sysconfig


def libc():
    # The C library as the running program sees it, https://peps.python.org/pep-0600/
    try:
        import ctypes

        version = ctypes.CDLL(None).gnu_get_libc_version
        version.restype = ctypes.c_char_p
        return ["glibc", version().decode("ascii")]
    except Exception:
        pass
    name, version = platform.libc_ver()
    if name == "glibc":
        return ["glibc", version]
    # musl says what it is when its loader is run without arguments, https://peps.python.org/pep-0656/
    import glob
    import subprocess

    for loader in glob.glob("/lib/ld-musl-*.so.1"):
        process = subprocess.Popen([loader], stderr=subprocess.PIPE)
        for line in process.communicate()[1].decode("utf-8", "replace").splitlines():
            if line.startswith("Version "):
                return ["musl", line[8:].strip()]
    return None


def abi():
    suffix = sysconfig.get_config_var("SOABI")
    if suffix and suffix.startswith("cpython-"):
        return "cp" + suffix.split("-")[1]
    if suffix and suffix.startswith("pypy"):
        return suffix.replace("-", "_")
    # 2.7 on some builds, and Windows, have no SOABI.
    flags = ""
    if sys.version_info < (3, 8):
        flags += "m" if sysconfig.get_config_var("WITH_PYMALLOC") in (None, 1) else ""
    if sys.version_info < (3, 3):
        flags += "u" if sys.maxunicode == 0x10FFFF else ""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        flags += "t"
    return "cp%d%d%s" % (sys.version_info[0], sys.version_info[1], flags)


print(
    json.dumps(
        {
            "implementation": platform.python_implementation().lower(),
            "version": platform.python_version(),
            "abi": abi().replace("-", "_").replace(".", "_"),
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "system": platform.system(),
            # A 32-bit Python on a 64-bit kernel takes 32-bit files.
            "machine": platform.machine() if sys.maxsize > 2**32 else "i686",
            "mac": platform.mac_ver()[0],
            "libc": libc(),
            "executable": sys.executable,
            "prefix": sys.prefix,
            "virtual": sys.prefix != getattr(sys, "base_prefix", sys.prefix),
        }
    )
)
