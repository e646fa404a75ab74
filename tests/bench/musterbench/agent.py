# SPDX-License-Identifier: Apache-2.0
"""agent: what muster-agent costs a device at rest (connected, acknowledged, nothing happens), beside an empty Paho client
with the same TLS and keep-alive, and beside inadyn and ddclient doing their job against a loopback server."""
import http.server
import json
import shutil
import threading
import time

from muster_testlib import build_dir, ports
from muster_testlib.procs import Process, wait_until

from .deployment import PREFIX, Deployment
from .tools import cpu_seconds, memory_kib, wakeups

GOAL_WAKEUPS, GOAL_CPU_PERCENT, GOAL_ANON_KIB, GOAL_RSS_KIB = 2, 0.005, 2560, 12288
KEEPALIVE_S = 240  # muster-agent's default
ADDRESS = "93.184.216.34"


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
    return Process([shutil.which("inadyn", path="/usr/sbin:/usr/bin"), "-n", "--force", "-f", config, "--cache-dir",
                    work.folder("inadyn"), "--pidfile", work / "inadyn.pid"], work / "inadyn.log")


def _ddclient(work, service):
    config = work.write("ddclient.conf", f"""ssl=no
use=web, web=http://127.0.0.1:{service.port}/ip
protocol=dyndns2, server=127.0.0.1:{service.port}, login=u, password=p h1.example.com,h2.example.com
""", 0o600)
    return Process([shutil.which("ddclient", path="/usr/sbin:/usr/bin"), "-daemon=300", "-foreground", "-file", config,
                    "-cache", work / "ddclient.cache", "-pid", work / "ddclient.pid"], work / "ddclient.log")


def _agent(deployment):
    """muster-agent of one device, connected and acknowledged."""
    name, broker = f"{PREFIX}agent", deployment.broker
    identity, folder = deployment.pki.device(name), deployment.work.folder("agent")
    config = deployment.work.write("agent/agent.yaml", json.dumps({
        "device_id": name, "state_dir": str(deployment.work.folder("agent/state")), "control_socket": str(folder / "control.sock"),
        "broker": {"endpoints": [broker.endpoint], "keepalive": f"{KEEPALIVE_S}s"},
        "tls": {"ca_file": str(broker.ca_file), "cert_file": str(identity.cert), "key_file": str(identity.key)}}))
    agent = Process([build_dir() / "agent" / "muster-agent", "-c", config], folder / "log").start()
    agent.wait_log("broker-connected|connected")
    return agent


def _sample(pids):
    return {name: (wakeups(pid), cpu_seconds(pid)) for name, pid in pids.items()}


def run(options, out):
    with Deployment(1) as deployment:
        deployment.start()
        device = f"{PREFIX}paho"
        topics = ["--filter", "muster/v1/bc/#", "--keepalive", KEEPALIVE_S]
        services, processes = [Service(), Service()], []
        try:
            agent = _agent(deployment)
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
    return _result(options, found)


def _result(options, found):
    agent, paho = found["muster-agent"], found["paho"]
    wake = agent["wakeups_per_min"] - paho["wakeups_per_min"]
    cpu = agent["cpu_percent"] - paho["cpu_percent"]
    result = {"bench": "agent", "seconds": options.seconds, "lost": 0, "wrong": 0, **agent,
              "baseline_wakeups_per_min": paho["wakeups_per_min"], "baseline_cpu_percent": paho["cpu_percent"],
              "baseline_rss_kib": paho["rss_kib"], "baseline_anon_kib": paho["anon_kib"],
              "peers": {name: found[name] for name in ("inadyn", "ddclient")}}
    return result, [
        ("wake-ups/min above Paho", f"<= {GOAL_WAKEUPS}", f"{wake:.2f}", wake <= GOAL_WAKEUPS),
        ("CPU % above Paho", f"<= {GOAL_CPU_PERCENT}", f"{cpu:.5f}", cpu <= GOAL_CPU_PERCENT),
        ("RssAnon, KiB", f"<= {GOAL_ANON_KIB}", agent["anon_kib"], agent["anon_kib"] <= GOAL_ANON_KIB),
        ("RSS, KiB", f"<= {GOAL_RSS_KIB}", agent["rss_kib"], agent["rss_kib"] <= GOAL_RSS_KIB)]
