# Runs a command in changed surroundings: python -c THIS '{"clock": 86400}' python test.py
# For Python 2.7 and later. What Python programs are told of clock, host, user and folders is changed in a module that
# each of them imports at its start (sitecustomize), so that it takes no rights on the machine.
import sys

# A file of the project may be named like a module that is imported here.
sys.path[:] = [path for path in sys.path if path]

import json
import os
import shutil
import subprocess
import tempfile

HOOK = r'''
import os
import sys


def change(wanted):
    if "listing" in wanted:
        reverse_listings()
    if "clock" in wanted:
        shift_clock(wanted["clock"])
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


def shift_clock(seconds):
    import datetime
    import time
    try:
        import copyreg
    except ImportError:
        import copy_reg as copyreg

    now = time.time
    time.time = lambda: now() + seconds
    if hasattr(time, "time_ns"):
        now_ns = time.time_ns
        time.time_ns = lambda: now_ns() + seconds * 10 ** 9
    for name in ("localtime", "gmtime", "ctime"):
        told = getattr(time, name)
        setattr(time, name, lambda when=None, told=told: told(time.time() if when is None else when))
    strftime, asctime = time.strftime, time.asctime
    time.strftime = lambda form, when=None: strftime(form, time.localtime() if when is None else when)
    time.asctime = lambda when=None: asctime(time.localtime() if when is None else when)

    shift = datetime.timedelta(seconds=seconds)
    moment, day = datetime.datetime, datetime.date

    # They make values of the true classes: only the classes themselves are others.
    class Kind(type):
        def __instancecheck__(self, value):
            if "true" in self.__dict__:
                return isinstance(value, self.true)
            return type.__instancecheck__(self, value)

        def __subclasscheck__(self, kind):
            if "true" in self.__dict__:
                return issubclass(kind, self.true)
            return type.__subclasscheck__(self, kind)

    def new(kind, *args, **named):
        if "true" in kind.__dict__:
            return kind.true(*args, **named)
        return kind.true.__new__(kind, *args, **named)

    shifted_moment = Kind("datetime", (moment,), {
        "true": moment,
        "__new__": new,
        "__module__": "datetime",
        "now": classmethod(lambda kind, *args, **named: moment.now(*args, **named) + shift),
        "utcnow": classmethod(lambda kind: moment.utcnow() + shift),
        "today": classmethod(lambda kind: moment.now() + shift),
    })
    shifted_day = Kind("date", (day,), {
        "true": day,
        "__new__": new,
        "__module__": "datetime",
        "today": classmethod(lambda kind: (moment.now() + shift).date()),
    })
    datetime.datetime, datetime.date = shifted_moment, shifted_day
    # A pickle names the class, which must be the one that is found under its name.
    for true, shifted in ((moment, shifted_moment), (day, shifted_day)):
        copyreg.pickle(true, lambda value, kind=shifted: (kind,) + value.__reduce__()[1:])


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
    place = os.path.join(tempfile.gettempdir(), "caliper-surroundings")
    hook = os.path.join(place, "hook")
    os.makedirs(hook)
    with open(os.path.join(hook, "sitecustomize.py"), "w") as file:
        file.write(HOOK + "\nWANTED = %r\n" % (wanted,) + START)
    paths = [hook] + [path for path in [os.environ.get("PYTHONPATH")] if path]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    if "home" in wanted:
        home = os.path.join(place, wanted["home"])
        os.makedirs(home)
        os.environ["HOME"] = home
    if "folder" not in wanted:
        run(command)
    here, elsewhere = os.getcwd(), os.path.join(place, wanted["folder"])
    shutil.copytree(here, elsewhere, symlinks=True)
    os.chdir(elsewhere)
    try:
        status = subprocess.call(command)
    except OSError as error:
        refuse(command, error)
    # Its results are looked for where it was started.
    for folder, _, names in os.walk(elsewhere):
        back = os.path.join(here, os.path.relpath(folder, elsewhere))
        if not os.path.isdir(back):
            os.makedirs(back)
        for name in names:
            source, target = os.path.join(folder, name), os.path.join(back, name)
            if os.path.lexists(target):
                os.remove(target)
            if os.path.islink(source):
                os.symlink(os.readlink(source), target)
            else:
                shutil.copy2(source, target)
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


def run(command):
    try:
        os.execvp(command[0], command)
    except OSError as error:
        refuse(command, error)


def refuse(command, error):
    sys.stderr.write("cannot run %s: %s\n" % (command[0], error))
    sys.exit(127)


main()
