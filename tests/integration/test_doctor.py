#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`muster-agent doctor` against the real mosquitto: each failure is made, and must be named in its own line, with a remedy.

The test program enters a fresh namespace and plays the coordinator, as in test_agent.py.
"""
import json
import stat
import struct
import subprocess
import sys
import tarfile
import unittest

import test_agent
from muster_testlib import build_dir, ports, procs
from muster_testlib.certs import Authority
from test_agent import _SERVER, Case, enter_namespace

_SEEN = "45.83.1.9"
_DAY = 86400
_SOURCES = {"sources": [{"type": "interface"}, {"type": "static", "address4": _SEEN, "ip6": False}]}


class Doctor(Case):
    def device(self, *arguments, **settings):
        device = super().device(*arguments, detect=_SOURCES, **settings)
        device.ip("route", "add", "default", "via", _SERVER, "dev", "eth0")
        return device

    def doctor(self, device, *arguments, ahead=None):
        """Starts it; `ahead`: seconds its wall clock is ahead."""
        environment = []
        if ahead is not None:
            clock = device.folder / "clock"
            clock.write_bytes(struct.pack("=qq", ahead, 0))
            environment = ["env", f"LD_PRELOAD={build_dir() / 'tests' / 'clock_shim.so'}", f"CLOCK_SHIM={clock}",
                           "ASAN_OPTIONS=verify_asan_link_order=0"]
        return subprocess.Popen([*device.prefix, *environment, str(test_agent.AGENT), "doctor", "-c", str(device.config_file),
                                 *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def examine(self, device, ahead=None):
        """Exit status, and the lines by their name; the first one of a name counts."""
        process = self.doctor(device, "--json", ahead=ahead)
        out, errors = process.communicate(timeout=procs.DEADLINE)
        self.assertEqual(errors, "")
        answer = json.loads(out)
        self.assertEqual(answer["status"], process.returncode)
        lines = {}
        for line in answer["checks"]:
            lines.setdefault(line["check"], line)
            if line["verdict"] in ("warn", "FAIL"):
                self.assertNotEqual(line["hint"], "", line)
        return process.returncode, lines

    def verdicts(self, lines, *names):
        return [lines[name]["verdict"] for name in names]

    def endpoint(self, device, endpoint):
        device.configure(broker={"endpoints": [endpoint]}, detect=_SOURCES)


class Good(Doctor):
    def test_all_is_good_with_a_running_agent(self):
        device = self.device().start()
        first = self.acknowledged(device)
        self.answer(device, self.wait_state(device, lambda state: state["ip4"] == _SEEN))  # the first question waits a while
        bundle = device.folder / "bundle.tar"
        process = self.doctor(device, "--bundle", bundle)
        self.answer(device, self.wait_state(device, lambda state: state["why"] == "request"))
        out, errors = process.communicate(timeout=procs.DEADLINE)
        self.assertEqual((process.returncode, errors), (0, ""), out)
        for name in ("config", "identity", "clock", "device-cert", "agent", "resolver", "tcp", "tls", "server-cert", "connack",
                     "ack", "names", "sources", "nat"):
            self.assertRegex(out, rf"(?m)^ok    {name} ")
        self.assertEqual([state["conn"] for state in self.states(device)][-1], first["conn"])  # nobody was thrown out
        self.look_into(bundle, device, out)

    def look_into(self, bundle, device, out):
        self.assertEqual(stat.S_IMODE(bundle.stat().st_mode), 0o600)
        with tarfile.open(bundle, "r:") as tar:
            texts = {member.name: tar.extractfile(member).read().decode() for member in tar}
        self.assertEqual(set(texts), {"doctor.txt", "doctor.json", "config.yaml", "status.json", "sources.json", "log.txt",
                                      "version.txt"})
        self.assertEqual(texts["doctor.txt"], out)
        self.assertEqual(json.loads(texts["status.json"])["device"], "cam-1")
        self.assertIn(str(device.identity.key), texts["config.yaml"])
        self.assertNotIn("PRIVATE KEY", "".join(texts.values()))
        done = subprocess.run(["tar", "-tvf", str(bundle)], capture_output=True, text=True, check=True)
        self.assertEqual(len(done.stdout.splitlines()), len(texts), done.stdout)

    def test_connects_itself_where_no_agent_runs(self):
        device = self.device()
        status, lines = self.examine(device)
        self.assertEqual(status, 1)  # no agent runs
        self.assertEqual(self.verdicts(lines, "agent", "tls", "connack", "ack", "nat"), ["warn", "ok", "ok", "skip", "ok"])
        self.assertEqual(self.states(device), [])  # it says nothing to the coordinator
        self.assertEqual(self.gones(device), [])


class Bad(Doctor):
    def test_a_config_that_does_not_load(self):
        device = self.device()
        device.config_file.write_text(device.config_file.read_text().replace('"endpoints"', '"endpoint"'))
        bundle = device.folder / "bundle.tar"
        process = self.doctor(device, "--bundle", bundle)
        out, _ = process.communicate(timeout=procs.DEADLINE)
        self.assertEqual(process.returncode, 2)
        self.assertRegex(out, r"(?m)^FAIL  config .*endpoint")
        self.assertRegex(out, r"(?m)^skip  connack ")
        self.assertTrue(bundle.exists())

    def test_a_host_that_nobody_knows(self):
        device = self.device()
        self.endpoint(device, "no-such-host.invalid:8883")
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "resolver", "tcp", "tls", "server-cert", "connack")),
                         (2, ["FAIL", "skip", "skip", "skip", "skip"]))
        self.assertIn("no-such-host.invalid", lines["resolver"]["detail"])

    def test_a_port_that_refuses(self):
        device = self.device()
        self.endpoint(device, f"{_SERVER}:{ports.free_port('0.0.0.0')}")
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "resolver", "tcp", "tls", "connack")), (2, ["ok", "FAIL", "skip", "skip"]))
        self.assertIn("refused", lines["tcp"]["detail"])
        self.assertIn("nothing listens", lines["tcp"]["hint"])

    def test_one_endpoint_of_two(self):
        device = self.device()
        dead = f"{_SERVER}:{ports.free_port('0.0.0.0')}"
        device.configure(broker={"endpoints": [dead, f"{_SERVER}:{self.broker.port}"]}, detect=_SOURCES)
        status, lines = self.examine(device)
        self.assertEqual((status, lines["tcp"]["subject"], lines["tcp"]["verdict"]), (2, dead, "FAIL"))
        self.assertEqual(lines["connack"]["verdict"], "ok")

    def test_another_authority(self):
        device = self.device()
        device.configure(tls={"ca_file": str(self.pki.devices.cert)}, detect=_SOURCES)
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "tcp", "tls", "server-cert", "connack")), (2, ["ok", "FAIL", "ok", "skip"]))
        self.assertIn("not of the authority", lines["tls"]["detail"])

    def test_another_name(self):
        subprocess.run(["ip", "address", "add", "10.77.99.1/32", "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "address", "del", "10.77.99.1/32", "dev", "lo"], check=True)
        device = self.device()
        self.endpoint(device, f"10.77.99.1:{self.broker.port}")
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "tcp", "tls", "connack")), (2, ["ok", "FAIL", "skip"]))
        self.assertIn("not for 10.77.99.1", lines["tls"]["detail"])

    def test_no_tls_there(self):
        device = self.device()
        port = ports.free_port("0.0.0.0")
        plain = procs.Process(["/usr/bin/python3", "-m", "http.server", "--bind", "0.0.0.0", port], self.work / "plain")
        with plain.start():
            plain.wait_port("127.0.0.1", port)
            self.endpoint(device, f"{_SERVER}:{port}")
            status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "tcp", "tls", "connack")), (2, ["ok", "FAIL", "skip"]))
        self.assertIn("no TLS handshake", lines["tls"]["detail"])

    def test_an_expired_server(self):
        device = self.device()
        device.identity = self.pki.devices.issue("device", "cam-1", file="long", days=365)
        device.configure(detect=_SOURCES)
        status, lines = self.examine(device, ahead=60 * _DAY)
        self.assertEqual(status, 2)
        self.assertEqual(self.verdicts(lines, "clock", "device-cert", "tls", "server-cert", "connack"),
                         ["ok", "ok", "FAIL", "FAIL", "skip"])
        self.assertIn("has ended", lines["tls"]["detail"])

    def test_certificates_that_end_soon(self):
        device = self.device()  # 30 days both
        status, lines = self.examine(device, ahead=25 * _DAY)
        self.assertEqual((status, self.verdicts(lines, "device-cert", "tls", "server-cert")), (1, ["warn", "ok", "warn"]))
        self.assertRegex(lines["server-cert"]["detail"], r"\A[45] days left")

    def test_an_expired_device(self):
        device = self.device()
        status, lines = self.examine(device, ahead=40 * _DAY)
        self.assertEqual((status, self.verdicts(lines, "clock", "device-cert")), (2, ["warn", "FAIL"]))

    def test_a_clock_that_was_never_set(self):
        status, lines = self.examine(self.device(), ahead=-20 * 365 * _DAY)
        self.assertEqual((status, lines["clock"]["verdict"]), (2, "FAIL"))
        self.assertIn("before this program was built", lines["clock"]["detail"])
        self.assertIn("not valid yet", lines["tls"]["detail"])

    def test_a_clock_before_the_certificate(self):
        device = self.device()
        status, lines = self.examine(device, ahead=-_DAY // 2)
        self.assertEqual((status, lines["clock"]["verdict"]), (2, "FAIL"))
        self.assertRegex(lines["clock"]["detail"], "before (this program was built|the device's certificate was issued)")

    def test_a_certificate_that_the_broker_does_not_know(self):
        device = self.device()
        device.identity = Authority(self.work / "strangers", "strangers").issue("device", "cam-1")
        device.configure(detect=_SOURCES)
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "identity", "tls", "connack")), (2, ["ok", "ok", "FAIL"]))

    def test_a_key_of_another_certificate(self):
        device = self.device()
        device.configure(tls={"key_file": str(self.pki.device("cam-2").key)}, detect=_SOURCES)
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "identity", "tls", "connack")), (2, ["FAIL", "ok", "skip"]))

    def test_no_answer_of_the_coordinator(self):
        device = self.device().start()
        self.acknowledged(device)  # an old answer is none
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "connack", "ack", "names")), (2, ["ok", "FAIL", "skip"]))
        self.assertIn("no answer to a report", lines["ack"]["detail"])

    def test_an_unregistered_device(self):
        device = self.device().start()
        self.wait_state(device)
        self.answer(device, error="unregistered")
        device.wait_status(lambda status: status["report"]["state"] == "unregistered", "it is told")
        process = self.doctor(device)
        self.wait_state(device, lambda state: state["why"] == "request")
        self.answer(device, error="unregistered")
        out, _ = process.communicate(timeout=procs.DEADLINE)
        self.assertEqual(process.returncode, 2)
        self.assertRegex(out, r"(?m)^FAIL  ack .*does not know 'cam-1'\n +-> .*registry")

    def test_an_agent_without_its_broker(self):
        device = self.device().start()
        self.wait_state(device)
        self.broker.kill()
        device.wait_status(lambda status: status["connection"]["state"] == "disconnected", "the loss is noticed")
        status, lines = self.examine(device)
        self.assertEqual((status, self.verdicts(lines, "tcp", "tls", "connack", "ack")), (2, ["FAIL", "skip", "FAIL", "skip"]))
        self.assertIn("not connected", lines["connack"]["detail"])

    def test_sources_that_disagree(self):
        device = self.device()
        liar = {"type": "static", "name": "liar", "address4": "62.1.2.3", "ip6": False}
        device.configure(detect={"sources": [*_SOURCES["sources"], liar], "quorum": 2})
        status, lines = self.examine(device)
        self.assertEqual((status, lines["sources"]["verdict"]), (2, "FAIL"))
        self.assertIn("disagree about IPv4", lines["sources"]["detail"])


class Usage(Doctor):
    def test_a_bundle_tells_no_secrets(self):
        device = self.device()
        program = device.folder / "ask"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        device.configure(detect={"sources": [
            {"type": "http", "url": f"https://{_SERVER}:9/path?token=hush1", "ca_file": str(self.broker.ca_file), "ip6": False},
            {"type": "exec", "command": [str(program), "hush2"], "ip6": False},
            {"type": "exec", "name": "wrong", "command": [f"{program} -u hush3"], "ip6": False}]})
        bundle = device.folder / "bundle.tar"
        self.doctor(device, "--bundle", bundle).communicate(timeout=procs.DEADLINE)
        with tarfile.open(bundle, "r:") as tar:
            texts = {member.name: tar.extractfile(member).read().decode() for member in tar}
        self.assertIn(f"https://{_SERVER}:9/path?<redacted>", texts["config.yaml"])
        self.assertIn(str(program), texts["config.yaml"])
        self.assertNotIn("hush", "".join(texts.values()))

    def test_wrong_usage_and_a_bundle_that_cannot_be_written(self):
        device = self.device()
        self.assertEqual(device.command("doctor", "--what").returncode, 64)
        done = device.command("doctor", "-c", device.config_file, "--bundle", device.folder / "none" / "x.tar")
        self.assertEqual(done.returncode, 74)
        self.assertIn("none/x.tar", done.stderr)


if __name__ == "__main__":
    if not enter_namespace():
        print("network namespaces or veth are not available: skipped")
        sys.exit(77)
    unittest.main()
