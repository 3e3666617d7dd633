#!/usr/bin/env python3
"""A mirror under load, side by side with nginx serving the same files from disk: requests and bytes per second, memory,
and what the mirror fetches from outside once it is warm (nothing).

    cargo build --release -p caliper-cli
    python3 benches/mirror.py [--clients 50] [--seconds 10] [--binary target/release/caliper]

Needs nginx (`apt-get install nginx-light`) and no network: the index behind the mirror is a server of this script, which
counts what it is asked. Clients are processes of this script, each with one connection that stays open; they take turns
over the files. Both servers have the same files, one of 20 MB, one of 1 MB and eight of 50 kB, and small ones are
measured alone too. Memory is the largest resident set of the server.
"""

import argparse
import hashlib
import http.client
import http.server
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = {"large": 20_000_000, "middle": 1_000_000} | {f"small{number}": 50_000 for number in range(8)}


def wheel(folder, project, size):
    """A wheel of about that size, of bytes that cannot be compressed."""
    path = folder / f"{project}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{project}/data.bin", os.urandom(size))
        info = f"{project}-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    return path


class Index(http.server.BaseHTTPRequestHandler):
    """An index without metadata files, and with upload times."""

    protocol_version = "HTTP/1.1"
    folder = None
    asked = []

    def do_GET(self):
        Index.asked.append(self.path)
        part = self.path.strip("/").split("/")[-1]
        if self.path.startswith("/simple/"):
            path = Index.folder / f"{part}-1.0-py3-none-any.whl"
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            entry = {"filename": path.name, "url": f"/files/{path.name}", "hashes": {"sha256": digest}}
            entry |= {"size": path.stat().st_size, "upload-time": "2020-01-01T00:00:00Z", "yanked": False}
            body = json.dumps({"meta": {"api-version": "1.1"}, "name": part, "versions": ["1.0"], "files": [entry]})
            self.reply(200, "application/vnd.pypi.simple.v1+json", body.encode())
        else:
            self.reply(200, "application/octet-stream", (Index.folder / part).read_bytes())

    def reply(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def client(port, paths, start, until, results):
    """Asks for the paths in turn until the time is over; puts the number of requests, bytes and their times."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    buffer = bytearray(1 << 20)
    requests = total = 0
    times = []
    time.sleep(max(0, start - time.time()))
    while time.time() < until:
        begun = time.perf_counter()
        connection.request("GET", paths[requests % len(paths)])
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        expected, got = int(answer.headers["Content-Length"]), 0
        while count := answer.readinto(buffer):
            got += count
        assert got == expected, (got, expected)
        times.append(time.perf_counter() - begun)
        requests, total = requests + 1, total + got
    results.put((requests, total, times))


def load(port, paths, clients, seconds):
    """(requests per second, megabytes per second, median and 99th percentile of the times in ms)"""
    results = multiprocessing.Queue()
    start = time.time() + 1
    turned = [paths[number % len(paths):] + paths[: number % len(paths)] for number in range(clients)]
    arguments = [(port, turned[number], start, start + seconds, results) for number in range(clients)]
    processes = [multiprocessing.Process(target=client, args=one) for one in arguments]
    for process in processes:
        process.start()
    ended = [results.get() for _ in processes]
    for process in processes:
        process.join()
    times = sorted(one for _, _, times in ended for one in times)
    return (
        sum(requests for requests, _, _ in ended) / seconds,
        sum(total for _, total, _ in ended) / seconds / 1e6,
        statistics.median(times) * 1e3,
        times[int(len(times) * 0.99)] * 1e3,
    )


def peak(pids):
    """The largest resident sets of these processes together, in MB."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) / 1e3
    return total


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--laps", type=int, default=3)
    parser.add_argument("--binary", default=ROOT / "target/release/caliper")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mirror-bench-"))
    os.chmod(folder, 0o755)
    (folder / "files").mkdir()
    Index.folder = folder / "files"
    wheels = {name: wheel(folder / "files", name, size) for name, size in SIZES.items()}
    index = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=index.serve_forever, daemon=True).start()

    nginx_port = free_port()
    (folder / "nginx.conf").write_text(
        f"worker_processes auto; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.error;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n"
        f"server {{ listen 127.0.0.1:{nginx_port}; root {folder}; }} }}\n"
    )
    nginx = subprocess.Popen(["nginx", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    mirror = subprocess.Popen(
        [arguments.binary, "index", "serve", "--cache", folder / "cache", "--quiet"]
        + ["--index", f"http://127.0.0.1:{index.server_port}/simple/"],
        stdout=subprocess.PIPE,
        text=True,
    )
    mirror_port = int(mirror.stdout.readline().split(":")[2].split("/")[0])

    path_in_mirror = {}
    for name, path in wheels.items():
        path_in_mirror[name] = f"/files/{hashlib.sha256(path.read_bytes()).hexdigest()}/{path.name}"
    small = [name for name in SIZES if name.startswith("small")]
    pages = [f"/as-of/2021-01-01/simple/{name}/" for name in SIZES]

    # Cold: all clients ask for the same large file, and for all pages, at once.
    begun = time.time()
    load(mirror_port, pages + [path_in_mirror["large"]], arguments.clients, 2)
    fetched = [path for path in Index.asked if path.startswith("/files/")]
    print(f"cold: {arguments.clients} clients, {len(Index.asked)} requests upstream, the large file {len(fetched)} time(s)")
    for name in SIZES:
        load(mirror_port, [path_in_mirror[name]], 1, 0.1)
    asked = len(Index.asked)

    rows = {}
    for lap in range(arguments.laps):
        for what, names in [("all files", list(SIZES)), ("small files", small)]:
            servers = [
                ("nginx", nginx_port, [f"/files/{wheels[name].name}" for name in names]),
                ("mirror", mirror_port, [path_in_mirror[name] for name in names]),
            ]
            for server, port, paths in servers if lap % 2 == 0 else reversed(servers):
                rows.setdefault((what, server), []).append(load(port, paths, arguments.clients, arguments.seconds))
    rows[("pages", "mirror")] = [load(mirror_port, pages, arguments.clients, arguments.seconds)]
    print(f"{'':24} requests/s     MB/s  median ms     99 % ms")
    for (what, server), laps in rows.items():
        middle = sorted(laps)[len(laps) // 2]
        print(f"{what:12} {server:10} {middle[0]:11.0f} {middle[1]:8.0f} {middle[2]:10.1f} {middle[3]:11.1f}")
    for what in ["all files", "small files"]:
        ratios = [mine[0] / other[0] for mine, other in zip(rows[(what, "mirror")], rows[(what, "nginx")])]
        print(f"{what}: the mirror answers {statistics.median(ratios):.2f} of what nginx does ({min(ratios):.2f} to {max(ratios):.2f})")
    children = pathlib.Path(f"/proc/{nginx.pid}/task/{nginx.pid}/children").read_text().split()
    print(f"memory: mirror {peak([mirror.pid]):.0f} MB, nginx {peak([nginx.pid, *children]):.0f} MB")
    print(f"warm: {len(Index.asked) - asked} requests upstream in {time.time() - begun:.0f} s")

    mirror.send_signal(signal.SIGINT)
    print(f"the mirror ended with {mirror.wait()}")
    nginx.terminate()
    nginx.wait()
    index.shutdown()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
