#!/usr/bin/env python3
"""Serves an index with the one wheel demo 1.0 on loopback, and writes its address into FOLDER/address.

    tests/engines/demo_index.py FOLDER [PORT]
"""

import hashlib
import http.server
import os
import pathlib
import sys
import zipfile

folder = pathlib.Path(sys.argv[1])
(folder / "demo").mkdir(parents=True)
os.chdir(folder)
info = "demo-1.0.dist-info"
files = {
    "demo.py": "",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
wheel = pathlib.Path("demo/demo-1.0-py3-none-any.whl")
with zipfile.ZipFile(wheel, "w") as archive:
    for name, text in files.items():
        archive.writestr(name, text)
digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
pathlib.Path("demo/index.html").write_text(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>')


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Quiet)
pathlib.Path("address").write_text(f"http://127.0.0.1:{server.server_port}/")
server.serve_forever()
