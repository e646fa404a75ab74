# SPDX-License-Identifier: Apache-2.0
"""Clean roots: this machine's Debian with nothing of Muster in it, each an overlay in which packages are really installed.

The test goes on in mount, PID and network namespaces of its own, so nothing here reaches the machine. Two rules keep it
so: nothing of the machine that can be written is mounted into a root (a root has a /dev of its own), and nothing is
deleted recursively inside the namespaces: mounts end with them, and the folder is removed from outside, where no mount is
seen.
The source tree is hidden in a root: whatever runs there was installed there.
"""
import configparser
import os
import pathlib
import shutil
import subprocess
import sys

from muster_testlib import build_dir, source_dir
from muster_testlib.procs import Process, Workspace

_UNSHARE = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
            "--net"]
_OUTSIDE = "MUSTER_OUTSIDE"  # the mount namespace that the test came from
_FOLDER = "MUSTER_CLEAN_ROOTS"


def _mount_namespace():
    return os.readlink("/proc/self/ns/mnt")


def enter():
    """Runs this program again inside namespaces and ends with its status; returns in there.

    Exit status 77 where the kernel or the user may not."""
    if os.environ.get(_OUTSIDE):
        if os.environ[_OUTSIDE] == _mount_namespace():
            raise AssertionError("not in a mount namespace of its own")
        return
    if os.geteuid() != 0 or subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode != 0:
        print("needs root and namespaces")
        sys.exit(77)
    with Workspace() as work:
        inside = dict(os.environ, **{_OUTSIDE: _mount_namespace(), _FOLDER: str(work.path)})
        done = subprocess.run([*_UNSHARE, sys.executable, "-B", *sys.argv], env=inside, check=False)
    sys.exit(done.returncode)


class Folder:
    """The folder that enter() made, for use inside: makes folders, removes nothing."""

    def __init__(self):
        self.path = pathlib.Path(os.environ[_FOLDER])

    def folder(self, name):
        path = self.path / name
        path.mkdir(mode=0o755, exist_ok=True)
        return path


def run(*command, **more):
    """A command that must succeed; its output."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _mount(kind, target, *options):
    run("mount", "-t", kind, *options, kind, target)


class Root:
    """One machine: a root file system and a network namespace (None: the test's own)."""

    def __init__(self, work, name, network=None):
        self.name, self.network = name, network
        layers = work.folder(f"{name}-layers")
        self.path = work.folder(name)
        _mount("tmpfs", layers)
        for layer in ("upper", "work"):
            (layers / layer).mkdir(mode=0o755)
        _mount("overlay", self.path, "-o", f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work")
        for folder in ("run", "tmp"):
            _mount("tmpfs", self.path / folder)
        (self.path / "tmp").chmod(0o1777)
        for tree in (source_dir(), build_dir()):
            hidden = self / str(tree).lstrip("/")
            if hidden.exists():
                _mount("tmpfs", hidden)
        _mount("proc", self.path / "proc")
        self._make_dev()
        self._part_dpkg()
        # The index of manual pages would take longer than the rest.
        (self / "var/lib/man-db/auto-update").unlink(missing_ok=True)
        self._remove_muster()

    def _make_dev(self):
        """A /dev of its own. Never a bind of the machine's: tidying up a test's folder would delete its devices."""
        _mount("tmpfs", self.path / "dev")
        for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
            run("mknod", "-m", "666", self.path / "dev" / name, "c", "1", minor)
        for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
            (self.path / "dev" / name).symlink_to(target)
        for folder in ("shm", "pts"):
            (self.path / "dev" / folder).mkdir()

    def _part_dpkg(self):
        """dpkg's state as of now: what the machine's own dpkg is in the middle of is not seen in here."""
        database = self / "var/lib/dpkg"
        (database / "status").write_bytes(pathlib.Path("/var/lib/dpkg/status").read_bytes())
        for entry in (database / "updates").iterdir():
            entry.unlink()
        (database / "updates").rmdir()
        (database / "updates").mkdir()  # made anew it hides the machine's for good

    def _remove_muster(self):
        """A machine that has Muster already is made clean as well; only this overlay sees it."""
        listed = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\n", "muster-*"], capture_output=True, text=True,
                                check=False).stdout.split()
        if listed:
            self.run("dpkg", "--purge", *listed)
        self.run("rm", "-rf", "--one-file-system", "/etc/muster")

    def __truediv__(self, name):
        return self.path / name

    def prefix(self):
        network = ["ip", "netns", "exec", self.network] if self.network else []
        return [*network, "chroot", str(self.path)]

    def run(self, *command, **more):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        return run(*self.prefix(), *command, env=environment, **more)

    def shell(self, text):
        return self.run("sh", "-eu", "-c", text)

    def install(self, packages):
        """dpkg checks dependencies, runs the maintainer scripts."""
        folder = self / "tmp"
        for package in packages:
            shutil.copy(package, folder)
        return self.run("dpkg", "-i", *(f"/tmp/{pathlib.Path(package).name}" for package in packages))

    def unit(self, service):
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str
        parser.read(self / f"usr/lib/systemd/system/{service}.service")
        return parser["Service"]

    def service(self, service, log):
        """The process that systemd would start: user, folders and command line are the unit's."""
        unit = self.unit(service)
        user, group = unit["User"], unit["Group"]
        for key, parent in (("RuntimeDirectory", "/run"), ("StateDirectory", "/var/lib")):
            self.run("install", "-d", "-o", user, "-g", group, "-m", unit[f"{key}Mode"], f"{parent}/{unit[key]}")
        command = ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--no-new-privs",
                   *unit["ExecStart"].split()]
        return Process(command, log, prefix=self.prefix(), cwd="/")
