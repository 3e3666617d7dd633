"""Runs a program in a terminal of so many columns, and prints as JSON what a person would have seen.

terminal.py COLUMNS [--interrupt-at TEXT] [--resize-at TEXT COLUMNS] -- PROGRAM ARGUMENT...

With `--interrupt-at`, Ctrl-C is typed once TEXT stands on the screen; with `--resize-at`, the terminal gets other
columns then. Only what the program may use of ECMA-48 is understood; anything else is listed under `unknown`.
"""

import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unicodedata

CONTROL = re.compile(r"\x1b\[([0-9;?]*)([@-~])")


class Screen:
    """The lines of a terminal without end, and what happened to them."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.column = self.widest = 0
        self.pending = ""
        # The lines that were drawn again and were too long.
        self.wrapped = []
        self.unknown = []
        self.controls = 0
        # What stood on the last line before it was overwritten or erased: what was drawn.
        self.drawn = []

    def line(self):
        return self.lines[-1]

    def put(self, character):
        wide = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        before = self.line()[: self.column].ljust(self.column)
        self.lines[-1] = before + character + self.line()[self.column + 1 :]
        self.column += wide
        self.widest = max(self.widest, self.column)

    def feed(self, text):
        # The driver of the terminal puts a carriage return before each line feed.
        text = (self.pending + text).replace("\r\n", "\n")
        self.pending = ""
        while text:
            control = CONTROL.match(text)
            if control:
                self.control(*control.groups())
                text = text[control.end() :]
                continue
            if text in ("\r", "\x1b", "\x1b["):
                self.pending = text
                return
            if text[0] == "\r":
                self.drew()
                self.column = 0
            elif text[0] == "\n":
                self.lines.append("")
                self.column = self.widest = 0
            elif text[0] < " ":
                self.unknown.append(text[0])
            else:
                self.put(text[0])
            text = text[1:]

    def drew(self):
        """Notes the line that is drawn again now."""
        line = self.line().rstrip()
        if line:
            self.drawn.append(line)
        # Some terminals wrap as soon as the last column is filled.
        if self.widest >= self.columns:
            self.wrapped.append(line)
        self.widest = 0

    def control(self, parameters, final):
        self.controls += 1
        if final == "K" and parameters in ("", "0"):
            self.lines[-1] = self.line()[: self.column]
        elif final != "m":
            self.unknown.append(parameters + final)


def size(descriptor, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def main(arguments):
    columns = int(arguments.pop(0))
    at = {}
    while arguments[0] != "--":
        option = arguments.pop(0)
        text = arguments.pop(0)
        at[option] = (text, int(arguments.pop(0)) if option == "--resize-at" else None)
    command = arguments[1:]
    reading, writing = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)  # until the terminal has its size
        os.execvp(command[0], command)
    size(terminal, columns)
    os.close(reading)
    os.write(writing, b".")
    begun = time.monotonic()
    screen = Screen(columns)
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    first, writes = None, []
    while True:
        if not select.select([terminal], [], [], 120)[0]:
            os.kill(child, signal.SIGKILL)
            raise SystemExit("nothing was printed for two minutes")
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the program is gone
            break
        if not read:
            break
        now = time.monotonic() - begun
        first = first or now
        writes.append(now)
        screen.feed(decode(read))
        for option, (text, parameter) in list(at.items()):
            if any(text in line for line in screen.lines):
                del at[option]
                if option == "--interrupt-at":
                    os.write(terminal, b"\x03")
                else:
                    size(terminal, parameter)
                    screen.columns, screen.widest = parameter, 0
    _, status = os.waitpid(child, 0)
    result = {
        "code": os.waitstatus_to_exitcode(status),
        "first": first,
        "seconds": time.monotonic() - begun,
        "most_in_a_second": max([sum(one <= other < one + 1 for other in writes) for one in writes], default=0),
        "screen": [line.rstrip() for line in screen.lines],
        "wrapped": screen.wrapped,
        "drawn": screen.drawn,
        "unknown": screen.unknown,
        "controls": screen.controls,
    }
    json.dump(result, sys.stdout)


main(sys.argv[1:])
