# SPDX-License-Identifier: Apache-2.0
"""agent: what muster-agent costs a device at rest (connected, acknowledged, nothing happens), beside an empty Paho client
with the same TLS and keep-alive, and beside inadyn and ddclient doing their job against a loopback server.

Rest is worth nothing in an agent that does not do its job, so lost and wrong are measured as well. Behind the measured
stretch the agent is told to report a few times: a state that the coordinator does not count is lost. The pair that the
coordinator has must be the agent's, and the zone must hold the agent's name with the address of its connection, as the
kernel knows it, and nothing else."""
import http.server
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import threading
import time

from muster_testlib import build_dir, ports
from muster_testlib.procs import DEADLINE, Process, Timeout, wait_until

from . import oracle
from .deployment import PREFIX, ZONE, Deployment
from .tools import ToolFailed, cpu_seconds, memory_kib, states, wakeups

GOAL_WAKEUPS, GOAL_CPU_PERCENT, GOAL_ANON_KIB, GOAL_RSS_KIB = 2, 0.005, 2560, 12288
KEEPALIVE_S = 240  # muster-agent's default
ADDRESS = "93.184.216.34"
NAME = f"{PREFIX}agent"
REPORTS = 5  # on request, behind the rest
# The agent reaches the broker over loopback, so that is the address to publish.
POLICY = 'policy:\n  treat_as_public: ["127.0.0.0/8"]\n'
_ESTABLISHED = "01"


class _Handler(http.server.BaseHTTPRequestHandler):
    """What a dyndns2 service and an address echo answer."""

    def do_GET(self):
        body = (f"good {ADDRESS}\n" if self.path.startswith("/nic/") else f"{ADDRESS}\n").encode()
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Service:
    def __init__(self):
        self.port = ports.free_port("127.0.0.1")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self.server.paths = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_update(self, name):
        wait_until(lambda: any(path.startswith("/nic/") for path in self.server.paths), f"{name} updates", 60)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def _program(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        raise ToolFailed(f"{name} is not installed (deploy/packages/test)")
    return path


def _inadyn(work, service):
    config = work.write("inadyn.conf", f"""custom mock {{
    ssl = false
    username = u
    password = p
    hostname = {{ "h1.example.com", "h2.example.com" }}
    checkip-server = "127.0.0.1:{service.port}"
    checkip-path = "/ip"
    checkip-ssl = false
    ddns-server = "127.0.0.1:{service.port}"
    ddns-path = "/nic/update?hostname=%h&myip=%i"
}}
""", 0o600)
    return Process([_program("inadyn"), "-n", "--force", "-f", config, "--cache-dir",
                    work.folder("inadyn"), "--pidfile", work / "inadyn.pid"], work / "inadyn.log")


def _ddclient(work, service):
    config = work.write("ddclient.conf", f"""ssl=no
use=web, web=http://127.0.0.1:{service.port}/ip
protocol=dyndns2, server=127.0.0.1:{service.port}, login=u, password=p h1.example.com,h2.example.com
""", 0o600)
    return Process([_program("ddclient"), "-daemon=300", "-foreground", "-file", config,
                    "-cache", work / "ddclient.cache", "-pid", work / "ddclient.pid"], work / "ddclient.log")


def _ask(program, *arguments):
    done = subprocess.run([build_dir() / program, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE,
                          check=False)
    if done.returncode != 0:
        raise ToolFailed(f"{program} {arguments[0]}: {done.stderr}")
    return done.stdout


def _status(deployment):
    return json.loads(_ask("agent/muster-agent", "status", "--json", "--socket", deployment.work / "agent/control.sock"))


def start_agent(deployment):
    """muster-agent of one device, connected and acknowledged."""
    broker = deployment.broker
    identity, folder = deployment.pki.device(NAME), deployment.work.folder("agent")
    config = deployment.work.write("agent/agent.yaml", json.dumps({
        "device_id": NAME, "state_dir": str(deployment.work.folder("agent/state")), "control_socket": str(folder / "control.sock"),
        "broker": {"endpoints": [broker.endpoint], "keepalive": f"{KEEPALIVE_S}s"},
        "tls": {"ca_file": str(broker.ca_file), "cert_file": str(identity.cert), "key_file": str(identity.key)}}))
    agent = Process([build_dir() / "agent" / "muster-agent", "-c", config], folder / "log").start()
    agent.wait_log("broker-connected|connected")
    agent.wait_until(lambda: _status(deployment)["report"]["state"] == "acknowledged", "the agent's state is acknowledged")
    return agent


def source_address(pid, port):
    """The local address of a process's TCP connection to `port`, by the kernel's tables."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(fd))
        except FileNotFoundError:
            continue  # closed meanwhile
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        (address, _), (_, remote) = (field.split(":") for field in fields[1:3])
        if f"socket:[{fields[9]}]" in inodes and int(remote, 16) == port and fields[3] == _ESTABLISHED:
            return socket.inet_ntoa(struct.pack("=I", int(address, 16)))
    raise ToolFailed(f"process {pid} has no connection to port {port}")


def _missing_reports(deployment):
    """How many of the states that the agent was told to send the coordinator never counted."""
    start = states(deployment)
    for number in range(REPORTS):
        _ask("agent/muster-agent", "report", "--socket", deployment.work / "agent/control.sock")
        try:
            wait_until(lambda: states(deployment) > start + number, "the report is counted")  # pylint: disable=cell-var-from-loop
        except Timeout:
            continue  # counted as missing below
    return max(0, REPORTS - (states(deployment) - start))


def _settled_report(deployment):
    """The agent's last report once it is acknowledged (the coordinator counts a state before its ack is under way), or
    as it stands when the time for that is over."""
    try:
        wait_until(lambda: _status(deployment)["report"]["state"] == "acknowledged", "the last report is acknowledged")
    except Timeout:
        pass  # counted as lost by the caller
    return _status(deployment)["report"]


def verdict(deployment, agent):
    """(lost, wrong): of the states on request, of what the coordinator knows and of the zone, against the agent."""
    lost = _missing_reports(deployment)
    report = _settled_report(deployment)
    known = json.loads(_ask("cli/muster", "device", "show", "--json", "--socket", deployment.folder / "control.sock", NAME))
    source = source_address(agent.pid, deployment.broker.port)
    lost += report["state"] != "acknowledged"
    lost += (known["boot"], known["seq"]) != (report["boot"], report["seq"])
    found = oracle.compare(deployment.dns, ZONE, deployment.work.write("nobody", ""), more=["--expect", f"{NAME}.{ZONE}={source}"])
    return lost + found["lost"], found["wrong"] + (known["observed"] != source)


def _sample(pids):
    return {name: (wakeups(pid), cpu_seconds(pid)) for name, pid in pids.items()}


def run(options, out):
    with Deployment(1, more=POLICY) as deployment:
        deployment.start()
        device = f"{PREFIX}paho"
        topics = ["--filter", "muster/v1/bc/#", "--keepalive", KEEPALIVE_S]
        services, processes = [Service(), Service()], []
        try:
            agent = start_agent(deployment)
            processes.append(agent)
            paho = deployment.paho_empty(deployment.broker, device, deployment.pki.device(device), topics)
            peers = {"inadyn": _inadyn(deployment.work, services[0]), "ddclient": _ddclient(deployment.work, services[1])}
            for (name, peer), service in zip(peers.items(), services):
                processes.append(peer.start())
                service.wait_update(name)
            out(f"muster-agent, empty Paho client, inadyn, ddclient at rest for {options.seconds} s")
            time.sleep(options.settle)  # what a start leaves behind is not rest
            pids = {"muster-agent": agent.pid, "paho": paho.pid, **{name: peer.pid for name, peer in peers.items()}}
            before = _sample(pids)
            time.sleep(options.seconds)  # the measured stretch of doing nothing
            after = _sample(pids)
            memory = {name: memory_kib(pid) for name, pid in pids.items()}
            lost, wrong = verdict(deployment, agent)
        finally:
            for process in processes:
                process.stop()
            for service in services:
                service.close()
    found = {}
    for name in pids:
        found[name] = {"wakeups_per_min": round((after[name][0] - before[name][0]) * 60 / options.seconds, 2),
                       "cpu_percent": round((after[name][1] - before[name][1]) / options.seconds * 100, 5),
                       "rss_kib": memory[name][0], "anon_kib": memory[name][1], "pss_kib": memory[name][2]}
        out(f"{name:13} " + " ".join(f"{key}={value}" for key, value in found[name].items()))
    return _result(options, found, lost, wrong)


def _result(options, found, lost, wrong):
    agent, paho = found["muster-agent"], found["paho"]
    wake = agent["wakeups_per_min"] - paho["wakeups_per_min"]
    cpu = agent["cpu_percent"] - paho["cpu_percent"]
    result = {"bench": "agent", "seconds": options.seconds, "lost": lost, "wrong": wrong, **agent,
              "baseline_wakeups_per_min": paho["wakeups_per_min"], "baseline_cpu_percent": paho["cpu_percent"],
              "baseline_rss_kib": paho["rss_kib"], "baseline_anon_kib": paho["anon_kib"],
              "peers": {name: found[name] for name in ("inadyn", "ddclient")}}
    return result, [
        ("wake-ups/min above Paho", f"<= {GOAL_WAKEUPS}", f"{wake:.2f}", wake <= GOAL_WAKEUPS),
        ("CPU % above Paho", f"<= {GOAL_CPU_PERCENT}", f"{cpu:.5f}", cpu <= GOAL_CPU_PERCENT),
        ("RssAnon, KiB", f"<= {GOAL_ANON_KIB}", agent["anon_kib"], agent["anon_kib"] <= GOAL_ANON_KIB),
        ("RSS, KiB", f"<= {GOAL_RSS_KIB}", agent["rss_kib"], agent["rss_kib"] <= GOAL_RSS_KIB),
        ("lost", 0, lost, lost == 0), ("wrong", 0, wrong, wrong == 0)]
