import sys

# A file of the project may be named like a module that is imported here.
sys.path[:] = [path for path in sys.path if path]

import os
import signal
import subprocess


# The exit status of a command, which is negative if a signal ended it.
def call(command):
    try:
        return subprocess.call(command, preexec_fn=usual_signals)
    except OSError as error:
        sys.stderr.write("cannot run %s: %s\n" % (command[0], error))
        return 127


# Python ignores these signals, and the programs that it starts would, too.
def usual_signals():
    for name in ("SIGPIPE", "SIGXFSZ", "SIGXFZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


# Ends as the command did.
def leave(status):
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


