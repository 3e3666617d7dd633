#!/usr/bin/env python3
"""Kills an experiment of 50 runs at twenty moments, and shows that nothing is lost, torn or left.

    cargo build --release -p caliper-cli
    python3 tests/killed.py [--kills 20] [--ssh] [--binary target/release/caliper]

After each kill, what is there must be whole; then the same command must lead to what an undisturbed run has, without
making a saved run again. The first three begin with an empty cache. With `--ssh` the run is on "another machine", this
one behind an `sshd` of its own, and the client and the Caliper there are killed by turns. Needs a package index with
NumPy 2.3.5 (`CALIPER_INDEX_URL`, if not the usual one), and the program `zstd`. Exits with 1 if anything is wrong.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches"))
import kill  # noqa: E402

kill.TIMES |= {"machine"}
CONFIG = """\
analysis:
  dependency: numpy
  versions: ["2.3.5"]
  import: false
  groups: {same_seed: {seed: 0, repeat: 25}, different_seeds: {seeds: 0..24}}
  compare: {relative: 0}
  results: {init: [out/init.npy], epoch: ["out/epoch *.txt"], final: [out/final.npy]}
  tests: [{name: train, run: python train.py}]
"""
# A line for each start shows the runs that nobody saved; the child would go on if nobody ended it.
TRAIN = """\
import os, subprocess, time
import numpy
os.write(os.open(STARTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), b"run\\n")
subprocess.Popen(["sleep", "99"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
rng = numpy.random.default_rng(int(os.environ["SEED"]))
os.mkdir("out")
numpy.save("out/init.npy", rng.normal(size=1000))
for epoch in range(3):
    numpy.savetxt(f"out/epoch {epoch}.txt", rng.permutation(1000), "%d")
time.sleep(0.1)
weights = rng.normal(size=300_000)
numpy.save("out/final.npy", weights)
print("loss", weights[0])
"""


class Broken(Exception):
    pass


def whole(results):
    """The records of a folder of results, if each can be read and each blob has what its name says."""
    for blob in (results / "blobs").glob("*"):
        unpacked = subprocess.run(["zstd", "-dcq", str(blob)], capture_output=True)
        if unpacked.returncode or hashlib.sha256(unpacked.stdout).hexdigest() != blob.name.removesuffix(".zst"):
            if not blob.name.startswith("."):  # what is unfinished has a name that says so
                raise Broken(f"blob {blob.name} is torn")
    records = {}
    for path in sorted((results / "records").glob("*.json")):
        try:
            records[path.name] = json.loads(path.read_text())
        except ValueError as error:
            raise Broken(f"{path.name}: {error}") from error
        for part in path.read_text().split('"blob:sha256:')[1:]:
            if not (results / "blobs" / f"{part[:64]}.zst").exists():
                raise Broken(f"{path.name} names a blob that is not there: {part[:64]}")
    summary = results / "results.json"
    if summary.exists():
        json.loads(summary.read_text())
    return records


def runs(records):
    """When each run began, by cell and number."""
    found = {}
    for record in records.values():
        for run in (run for test in record["tests"] for run in test["runs"]):
            at = record["id"], run["attempt"]
            if at in found:
                raise Broken(f"run {at} is there twice")
            found[at] = run["started"]
    return found


def names(folder):
    """What is in a folder of results. Environments have random names, and blobs that no record names any more stay; what a
    killed run had open in `cache/work` stays until a run measures again."""
    environments = {path: f"E{at}" for at, path in enumerate(sorted(folder.glob("cache/environments/*/")))}
    found = set()
    for path in folder.rglob("*"):
        environment = next((each for each in environments if path.is_relative_to(each)), None)
        if environment and len(path.relative_to(environment).parts) < 2:
            found.add(f"{environments[environment]}/{path.relative_to(environment)}")
        elif not (
            environment
            or path.is_relative_to(folder / "cache/uv")
            or path.is_relative_to(folder / "cache/work")
            or path.suffix == ".zst"
        ):
            found.add(str(path.relative_to(folder)))
    return found


def fresh(results, cold=False):
    """Nothing is measured, and the environment is not built."""
    for path in results.iterdir() if results.exists() else []:
        if path.name in ("cache", "project-id"):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(results / ("cache" if cold else "cache/environments"), ignore_errors=True)


def sshd(folder, port):
    """An `sshd` of our own for this user. Returns its process, and a folder with an `ssh` that has the keys."""
    folder.mkdir()
    for key in ("user", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSetEnv PATH={os.environ['PATH']}\n"
    )
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "bin").mkdir()
    program = folder / "bin/ssh"
    program.write_text(
        f"#!/bin/sh\nexec /usr/bin/ssh -F none -i {folder}/user -o UserKnownHostsFile={folder}/known "
        '-o StrictHostKeyChecking=yes "$@"\n'
    )
    program.chmod(0o755)
    os.makedirs("/run/sshd", exist_ok=True)  # Debian makes it when the service starts
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.1)
    return process, folder / "bin"


class Experiment:
    def __init__(self, folder, binary, host):
        self.project, self.starts, self.tmp = folder / "project", folder / "starts", folder / "tmp"
        self.far, self.host, self.binary, self.said = folder / "far", host, binary, folder / "said"
        self.project.mkdir()
        self.tmp.mkdir()
        (self.project / "caliper.yaml").write_text(CONFIG)
        (self.project / "train.py").write_text(TRAIN.replace("STARTS", repr(str(self.starts))))
        self.environment = {**os.environ, "TMPDIR": str(self.tmp)}
        self.environment.pop("CALIPER_CACHE_DIR", None)

    @property
    def results(self):
        """Where it is measured."""
        return next((self.far / "projects").glob("*/results"), self.far) if self.host else self.project / ".caliper"

    @property
    def copies(self):
        """Where its results are to be read."""
        return next((self.project / ".caliper/hosts").glob("*")) if self.host else self.results

    def caliper(self, *arguments):
        command = [self.binary, *arguments]
        with self.said.open("w") as said:  # a pipe would be held open by what outlives it
            return subprocess.Popen(
                command, cwd=self.project, env=self.environment, stdout=subprocess.DEVNULL, stderr=said
            )

    def run(self):
        more = ["--host", self.host, "--every", "1s"] if self.host else []
        return self.caliper("run", *more, "--python", "%d.%d" % sys.version_info[:2], "--progress", "plain")

    def succeeds(self, *arguments):
        if status := (self.caliper(*arguments) if arguments else self.run()).wait():
            raise Broken(f"{' '.join(arguments) or 'run'} ended with {status}: {self.said.read_text()[-400:]}")

    def to_its_end(self):
        self.succeeds()

    def is_as(self, undisturbed, names_then, saved):
        """Whether all is as if nobody had killed anything, and what was saved was not made again."""
        records = whole(self.copies)
        after = runs(records)
        if remade := [at for at, start in saved.items() if after.get(at) != start]:
            raise Broken(f"saved, and made again or lost: {remade}")
        if kill.timeless(records) != undisturbed:
            raise Broken("the results are not those of the undisturbed run")
        left = sorted(names(self.results) ^ names_then) + [each.name for each in self.tmp.iterdir()]
        if self.host:
            left += [each.name for each in self.copies.rglob(".*")]
            left += [each.name for each in self.far.glob("programs/*/*") if each.name != "caliper"]
        if left:
            raise Broken(f"left: {left}")

    def there(self):
        """The Caliper that measures there."""
        return [
            int(pid) for pid in kill.processes(str(self.far))
            if pathlib.Path(f"/proc/{pid}/exe").resolve().is_relative_to(self.far / "programs")
        ]

    def ended(self):
        """Waits until nothing of it runs any more; ends what does."""
        until = time.monotonic() + 5
        while left := kill.processes(str(self.project)) + kill.processes(f"{self.far}/projects"):
            if time.monotonic() > until:
                for pid in left:
                    os.kill(int(pid), signal.SIGKILL)
                raise Broken(f"{len(left)} processes go on")
            time.sleep(0.1)

    def client_was_killed(self):
        """The job goes on, if there is one, and whoever asks for it gets everything."""
        jobs = list((self.far / "jobs").glob("*"))
        for job in jobs:
            self.succeeds("attach", job.name)
        if jobs:
            whole(self.copies)

    def there_was_killed(self, client):
        """Its client says so, and so does `status`."""
        if (status := client.wait(60)) != 3:
            raise Broken(f"the client ended with {status}")
        said = subprocess.run(
            [self.binary, "status"], cwd=self.project, env=self.environment, capture_output=True, text=True
        )
        if "ended with status 137" not in said.stdout:
            raise Broken(f"status: {said.stdout}{said.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--ssh", action="store_true")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/caliper")
    arguments = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        folder = pathlib.Path(folder).resolve()
        server = host = None
        if arguments.ssh:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            server, bin = sshd(folder / "sshd", port)
            os.environ["PATH"] = f"{bin}:{os.environ['PATH']}"
            host = f"ssh://127.0.0.1:{port}{folder}/far"
        try:
            wrong = trials(Experiment(folder, arguments.binary.resolve(), host), arguments.kills)
        finally:
            if server:
                server.kill()
    sys.exit(wrong > 0)


def trials(experiment, kills):
    experiment.to_its_end()  # fills the cache
    fresh(experiment.results)
    begun = time.monotonic()
    experiment.to_its_end()
    length = time.monotonic() - begun
    undisturbed, names_then = kill.timeless(whole(experiment.copies)), names(experiment.results)
    print(f"undisturbed: {len(runs(whole(experiment.copies)))} runs in {length:.1f} s\n")
    print(" moment  killed  runs begun  saved  again  what was wrong")
    wrong, cold = 0, 0 if experiment.host else min(3, kills // 4)
    for number in range(kills):
        spread = (number - cold) / max(1, kills - cold - 1)
        moment = (0.3, 1.5, 4.0)[number] if number < cold else 0.02 + spread * (length - 0.05)
        far = experiment.host and number % 2
        fresh(experiment.results, number < cold)
        if experiment.host:
            fresh(experiment.project / ".caliper")
            shutil.rmtree(experiment.far / "jobs", ignore_errors=True)
        experiment.starts.unlink(missing_ok=True)
        saved, began, again, faults, victim = {}, 0, 0, [], "here"

        def checked(what):
            try:
                return what()
            except Broken as error:
                faults.append(str(error))

        begun = time.monotonic()
        run = experiment.run()
        time.sleep(max(0, moment - (time.monotonic() - begun)))
        while far and not (there := experiment.there()) and run.poll() is None:
            time.sleep(0.05)
        if run.poll() is not None:
            victim = "-"
        elif far:
            victim = "there"
            for pid in there:
                os.kill(pid, signal.SIGKILL)
            checked(lambda: experiment.there_was_killed(run))
        else:
            run.send_signal(signal.SIGKILL)
        run.wait()
        if experiment.host and not far:
            checked(experiment.client_was_killed)
        checked(experiment.ended)
        saved = checked(lambda: runs(whole(experiment.results))) or {}
        began = len(experiment.starts.read_text().split()) if experiment.starts.exists() else 0
        if saved and not experiment.host:
            checked(lambda: experiment.succeeds("show"))
        checked(experiment.to_its_end)
        checked(experiment.ended)
        checked(lambda: experiment.is_as(undisturbed, names_then, saved))
        again = len(experiment.starts.read_text().split()) - 50
        told = "; ".join(faults) or "nothing"
        wrong += bool(faults)
        cache = "cold" if number < cold else ""
        print(f"{moment:6.2f} s  {victim:6}  {began:10}  {len(saved):5}  {again:5}  {told} {cache}", flush=True)
    print(f"\n{kills} kills, {wrong} with something wrong")
    return wrong


if __name__ == "__main__":
    main()
