# Runs a command in changed surroundings. Stands behind started.py: python -E -c THIS '{"user": 12345}' python test.py
# For Python 2.7 and later. What Python programs are told of host, user and folders is changed in a module that each of them
# imports at its start (sitecustomize), and what all programs are told of the date by a library that is loaded into each
# (ld.so(8)): neither takes rights on the machine.
import binascii
import json
import shutil
import struct
import tempfile

HOOK = r'''
import os
import sys


def change(wanted):
    if "listing" in wanted:
        reverse_listings()
    if "host" in wanted:
        name_host(wanted["host"])
    if "user" in wanted:
        number = wanted["user"]
        for name in ("getuid", "geteuid", "getgid", "getegid"):
            setattr(os, name, lambda: number)


def reverse_listings():
    listdir = os.listdir
    os.listdir = lambda *args, **named: listdir(*args, **named)[::-1]
    if not hasattr(os, "scandir"):
        return
    scandir = os.scandir

    class Entries(object):
        def __init__(self, *args, **named):
            self.entries = iter(list(scandir(*args, **named))[::-1])

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.entries)

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.close()

        def close(self):
            self.entries = iter(())

    os.scandir = Entries


def name_host(name):
    try:
        import _socket
        _socket.gethostname = lambda: name
    except ImportError:
        pass
    uname = os.uname

    def named():
        known = list(uname())
        known[1] = name
        return type(uname())(known)

    os.uname = named
'''

# The folder of this module is no place that the program should see.
START = r'''
def start():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    change(WANTED)
    # What the environment itself has under this name.
    for path in sys.path:
        own = os.path.join(path, "sitecustomize.py")
        if os.path.isfile(own):
            with open(own) as file:
                exec(compile(file.read(), own, "exec"), {"__name__": "sitecustomize", "__file__": own})
            break


start()
'''


def main():
    wanted, command = json.loads(sys.argv[1]), sys.argv[2:]
    place = folder_outside()
    try:
        status = run(wanted, command, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    leave(status)


# A folder that is not in the project, of the same name in each run if there is none yet.
def folder_outside():
    here = os.path.realpath(os.getcwd()) + os.sep
    for folder in [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]:
        if os.path.isdir(folder) and not (os.path.realpath(folder) + os.sep).startswith(here):
            place = os.path.join(folder, "caliper-surroundings")
            try:
                os.mkdir(place)
            except OSError:
                place = tempfile.mkdtemp(prefix="caliper-", dir=folder)
            return place
    sys.exit("caliper: there is no temporary folder outside of the project")


def run(wanted, command, place):
    hook = os.path.join(place, "hook")
    os.mkdir(hook)
    with open(os.path.join(hook, "sitecustomize.py"), "w") as file:
        file.write(HOOK + "\nWANTED = %r\n" % (wanted.get("python", {}),) + START)
    put_first("PYTHONPATH", hook, os.pathsep)
    if "home" in wanted:
        os.environ["HOME"] = os.path.join(place, wanted["home"])
        os.mkdir(os.environ["HOME"])
    if "clock" in wanted:
        library = binascii.unhexlify(wanted["clock"]["library"])
        ahead = [struct.pack("<q", number) for number in (0x1122334455667788, wanted["clock"]["seconds"])]
        path = os.path.join(place, "clock.so")
        with open(path, "wb") as file:
            file.write(library.replace(*ahead))
        put_first("LD_PRELOAD", path, ":")
    here = os.getcwd()
    if "folder" not in wanted:
        return call(command)
    # Moved, not copied: what the test removes must stay away, and what it makes may be anything.
    elsewhere = os.path.join(place, wanted["folder"])
    os.makedirs(elsewhere)
    move(here, elsewhere)
    os.chdir(elsewhere)
    try:
        return call(command)
    finally:
        os.chdir(here)
        # Its results are looked for where it was started.
        move(elsewhere, here)


def move(folder, target):
    for name in os.listdir(folder):
        shutil.move(os.path.join(folder, name), os.path.join(target, name))


def put_first(name, value, separator):
    present = os.environ.get(name)
    os.environ[name] = value + separator + present if present else value


main()
