# SPDX-License-Identifier: Apache-2.0
"""systemd as one root sees it, as far as the pages use it: the real programs, and what systemctl does and does not do.

Debian starts the services of its packages while it installs them, with the configuration that the package brings;
`enable --now` and `start` leave a unit alone that runs, only `restart` gives it another configuration.
"""
import shlex
import signal

from muster_testlib.procs import Process, port_accepts

# What tells that a unit of ours is up: a line of its log.
_UP = {"muster-broker": r"mosquitto version \S+ running", "muster-coordinator": "broker-connected", "muster-agent": "connected"}


class Services:
    def __init__(self, root, logs, cleanup):
        """`logs`: a folder; `cleanup` is called with what ends a process at the test's end."""
        self._root, self._logs, self._cleanup = root, logs, cleanup
        self._running = {}

    def installed(self, *packages):
        """The services that installing these packages starts, as their maintainer scripts do it."""
        for package in packages:
            if package in ("knot", "mosquitto"):
                self._start(package)

    def systemctl(self, line):
        """One line of a page."""
        words = shlex.split(line)
        verb, options, units = words[1], [w for w in words[2:] if w.startswith("-")], [w for w in words[2:] if w[0] != "-"]
        assert words[0] == "systemctl" and units and set(options) <= {"--now"}, line
        for unit in units:
            assert (self._root / f"lib/systemd/system/{unit}.service").exists(), f"no unit {unit}"
            if verb == "restart":
                self._stop(unit)
            if verb in ("restart", "start") or (verb == "enable" and options):
                self._start(unit)
            elif verb == "reload":
                self._running[unit].signal(signal.SIGHUP)
            else:
                assert verb == "enable", line

    def follow(self, text):
        """Lines of a page: systemctl is told above, all others are the shell's."""
        waiting = []
        for line in text.splitlines():
            if line.startswith("systemctl "):
                self._shell(waiting)
                waiting = []
                self.systemctl(line)
            else:
                assert "systemctl" not in line, f"systemctl needs a line of its own: {line}"
                waiting.append(line)
        return self._shell(waiting)

    def _shell(self, lines):
        return self._root.shell("\n".join(lines)) if lines else ""

    def _stop(self, unit):
        if unit in self._running:
            self._running.pop(unit).stop()

    def _start(self, unit):
        if unit in self._running:
            return
        log = self._logs / f"{self._root.name}-{unit}"
        start = {"knot": self._start_knot, "mosquitto": self._start_mosquitto}.get(unit)
        process = start(log) if start else self._root.service(unit, log).start()
        self._running[unit] = process
        self._cleanup(process.stop)
        if unit in _UP:
            process.wait_log(_UP[unit])

    def _start_knot(self, log):
        """knot.service: as user knot with the right to low ports, and only with a configuration that this user reads."""
        self._root.run("install", "-d", "-o", "knot", "-g", "knot", "/run/knot")
        user = ["setpriv", "--reuid=knot", "--regid=knot", "--init-groups", "--inh-caps=-all,+net_bind_service,+setpcap",
                "--ambient-caps=-all,+net_bind_service,+setpcap"]
        self._root.run(*user, "/usr/sbin/knotc", "conf-check")
        process = Process([*user, "/usr/sbin/knotd"], log, prefix=self._root.prefix(), cwd="/").start()
        socket = self._root / "run/knot/knot.sock"
        process.wait_until(socket.exists, "knotd's control socket")
        self._root.run("knotc", "status")
        return process

    def _start_mosquitto(self, log):
        """mosquitto.service, which Muster does not use: it shares the machine with ours."""
        for folder in ("/run/mosquitto", "/var/log/mosquitto"):
            self._root.run("install", "-d", "-o", "mosquitto", folder)
        process = Process(["/usr/sbin/mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"], log,
                          prefix=self._root.prefix(), cwd="/").start()
        process.wait_until(lambda: port_accepts("127.0.0.1", 1883), "Debian's mosquitto accepts")
        return process
