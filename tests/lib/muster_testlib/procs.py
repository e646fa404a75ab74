# SPDX-License-Identifier: Apache-2.0
"""Start real programs with a log file, wait for conditions with a deadline, stop exactly what was started.

Processes are ended by their own pid only. They die with the test program (PR_SET_PDEATHSIG) and at its exit.
"""
import atexit
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

DEADLINE = 120.0  # seconds; only a wrong program waits that long, and a loaded machine must not fail a right one
_PR_SET_PDEATHSIG = 1
_SANITIZER_REPORT = re.compile(r"^.*(?:(?:ERROR|WARNING): \w+Sanitizer\b|: runtime error: ).*$", re.MULTILINE)
_libc = ctypes.CDLL(None, use_errno=True)
_alive = []


class Timeout(AssertionError):
    """A condition did not come true in time."""


def wait_until(predicate, what, deadline=DEADLINE, step=0.005):
    """Polls `predicate` until it is truthy and returns its value. Raises Timeout naming `what`.

    Three quarters of the time are left to those who are waited for: a question may cost a busy machine all it has."""
    end = time.monotonic() + deadline
    while True:
        asked = time.monotonic()
        value = predicate()
        if value:
            return value
        now = time.monotonic()
        if now >= end:
            raise Timeout(f"after {deadline} s: {what}")
        time.sleep(max(step, min(3 * (now - asked), 2.0)))
        step = min(step * 1.5, 0.1)


def port_accepts(address, port):
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


class Workspace:
    """A temporary folder of one test. MUSTER_KEEP=1 keeps it and prints its path."""

    def __init__(self, prefix="muster-", place=None):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        self.path.chmod(0o755)
        atexit.register(self.close)

    def __truediv__(self, name):
        return self.path / name

    def folder(self, name, mode=0o700):
        path = self.path / name
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        return path

    def write(self, name, text, mode=0o644):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def close(self):
        if not self.path.exists():
            return
        if os.environ.get("MUSTER_KEEP"):
            print(f"kept: {self.path}")
        elif self._mounts():
            print(f"kept, for something is still mounted in it: {self.path}")  # removing would reach into what is mounted
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    def _mounts(self):
        lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
        return [line for line in lines if line.split()[1].startswith(f"{self.path}/")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def unconfined(program, folder):
    """The path to run. Debian's AppArmor profiles confine some servers to their standard folders by the path of the
    program; where such a profile is active the program is run from a copy in `folder`, which no profile names."""
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")
    if path is None:
        raise FileNotFoundError(f"{program} is not installed (deploy/packages)")
    enabled = pathlib.Path("/sys/module/apparmor/parameters/enabled")
    profile = pathlib.Path("/etc/apparmor.d") / path.lstrip("/").replace("/", ".")
    if not (enabled.exists() and enabled.read_text().startswith("Y") and profile.exists()):
        return path
    copy = pathlib.Path(folder) / f"{program}-unconfined"
    if not copy.exists():
        shutil.copy2(path, copy)
    return str(copy)


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program with its output in a log file. Use as a context manager or call stop()."""

    def __init__(self, argv, log, env=None, cwd=None, prefix=()):
        """`prefix` is put before argv, e.g. ("ip", "netns", "exec", name); `env` adds to the environment."""
        self.argv = [str(part) for part in (*prefix, *argv)]
        self.log_path = pathlib.Path(log)
        self.env = dict(os.environ, **(env or {}))
        self.cwd = cwd
        self.popen = None
        self._mark = 0

    @property
    def pid(self):
        return self.popen.pid

    def start(self):
        self._mark = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                          env=self.env, cwd=self.cwd, preexec_fn=die_with_parent)
        _alive.append(self)
        return self

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def log_text(self, whole=False):
        """What the program has written since its last start (or ever)."""
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(0 if whole else self._mark)
            return log.read().decode("utf-8", "replace")

    def mark(self):
        """Position for wait_log(since=...)."""
        return self.log_path.stat().st_size

    def wait_log(self, pattern, deadline=DEADLINE, since=None):
        """Waits for a line that matches and returns the match. `since`: a value of mark()."""
        regex = re.compile(pattern, re.MULTILINE)

        def seen():
            text = self.log_text()
            if since is not None:
                with open(self.log_path, "rb") as log:
                    log.seek(since)
                    text = log.read().decode("utf-8", "replace")
            match = regex.search(text)
            if match is None and not self.running():
                raise AssertionError(f"{self.argv[0]} ended ({self.popen.returncode}) before {pattern!r}:\n{text[-3000:]}")
            return match

        return wait_until(seen, f"{self.argv[0]}: no log line {pattern!r}", deadline)

    def wait_until(self, predicate, what, deadline=DEADLINE):
        """wait_until that fails at once, with the log, when the program ends."""

        def check():
            if not self.running():
                raise AssertionError(f"{self.argv[0]} ended ({self.popen.returncode}) before {what}:\n{self.log_text()[-3000:]}")
            return predicate()

        return wait_until(check, what, deadline)

    def wait_port(self, address, port, deadline=DEADLINE):
        self.wait_until(lambda: port_accepts(address, port), f"{address}:{port} accepts", deadline)
        return self

    def signal(self, number):
        os.kill(self.pid, number)

    def _reaped(self):
        """The exit status. A report of a sanitizer in the log fails the test, whatever the status was."""
        if self in _alive:
            _alive.remove(self)
            text = self.log_text()
            report = _SANITIZER_REPORT.search(text)
            if report is not None:
                raise AssertionError(f"{self.argv}:\n{text[report.start():][:8000]}")
        return self.popen.returncode

    def stop(self, deadline=DEADLINE):
        """SIGTERM, SIGKILL after the deadline. Returns the exit status; None when it never ran."""
        if self.popen is None:
            return None
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(deadline)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        return self._reaped()

    def kill(self):
        """SIGKILL, as a crash would."""
        if self.popen is not None and self.running():
            self.popen.kill()
            self.popen.wait()
        return self._reaped() if self.popen is not None else None

    def cpu_seconds(self):
        """User and system time so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self if self.popen is not None else self.start()

    def __exit__(self, *_):
        self.stop()


def _stop_all():
    for process in list(_alive):
        try:
            process.kill()
        except AssertionError as report:  # too late to fail the test, not to be seen
            print(report, file=sys.stderr)


atexit.register(_stop_all)
