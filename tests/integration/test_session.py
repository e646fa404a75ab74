# SPDX-License-Identifier: Apache-2.0
"""mqtt/session against the real mosquitto with mutual TLS: names, authorities, restarts, wills, windows, clocks.

The broker runs with mosquitto's default limits (20 messages in flight), not with ours, since a session must live with
any broker.
"""
import os
import pwd
import re
import subprocess
import time
import unittest

from muster_testlib import build_dir, certs, ports, procs
from muster_testlib.faultproxy import FaultProxy

_CONFIG = """per_listener_settings false
user {user}
log_dest stderr
log_type all
persistence false
listener {port} {address}
cafile {ca}
certfile {cert}
keyfile {key}
require_certificate true
use_identity_as_username true
acl_file {acl}
"""
_ACL = "pattern readwrite ok/#\npattern read denied/#\n"


needs_ipv6 = unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "the kernel has no IPv6")


class Mosquitto(procs.Process):
    def __init__(self, work, pki, server, address, port, name="broker"):
        folder = work.folder(name)
        acl = work.write(f"{name}/acl", _ACL)
        config = work.write(f"{name}/conf", _CONFIG.format(
            user=pwd.getpwuid(os.geteuid()).pw_name, port=port, address=address, ca=pki.clients_bundle,
            cert=server.cert, key=server.key, acl=acl))
        super().__init__([procs.unconfined("mosquitto", folder), "-c", config], folder / "log")

    def start(self):
        super().start()
        self.wait_log(r"mosquitto version \S+ running")
        return self


class Probe(procs.Process):
    def __init__(self, work, identity, ca, endpoints, name, env=None, **options):
        arguments = [f"id={identity.cn}", f"ca={ca}", f"cert={identity.cert}", f"key={identity.key}"]
        arguments += [f"endpoint={endpoint}" for endpoint in endpoints]
        arguments += [f"{key}={value}" for key, value in options.items()]
        super().__init__([build_dir() / "tests" / "integration" / "session_probe", *arguments], work / f"{name}.log",
                         env=env)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                                          env=self.env, preexec_fn=procs.die_with_parent)
        procs._alive.append(self)
        return self

    def say(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def gap_ms(self):
        mark = self.mark()
        self.say("gap")
        return int(self.wait_log(r"^gap (\d+)$", since=mark)[1])

    def count(self, pattern):
        return len(re.findall(pattern, self.log_text(whole=True), re.MULTILINE))

    def wait_count(self, pattern, count, deadline=procs.DEADLINE):
        self.wait_until(lambda: self.count(pattern) >= count, f"{count} of {pattern}", deadline)

    def end(self, drain_ms=1000):
        """Clean stop; returns the exit status."""
        self.say(f"stop {drain_ms}")
        self.popen.wait(procs.DEADLINE)
        return self._reaped()

    def __exit__(self, *_):
        self.kill()
        self.popen.stdin.close()


class Session(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.pki = certs.Pki(cls.work / "pki")
        cls.address = ports.loopback()
        cls.server = cls.pki.server("server", ips=[cls.address, "::1"], names=["localhost", "broker.test"])
        cls.device = cls.pki.device("cam-1")
        cls.watcher = cls.pki.device("watch-1")
        cls.shim = str(build_dir() / "tests" / "integration" / "session_shim.so")

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[1]
        self.port = ports.free_port(self.address)
        self.endpoint = f"{self.address}:{self.port}"

    def broker(self, server=None, address=None):
        broker = Mosquitto(self.work, self.pki, server or self.server, address or self.address, self.port,
                           f"{self.name}-broker")
        self.addCleanup(broker.kill)
        return broker.start()

    def probe(self, identity=None, endpoints=None, ca=None, name="probe", env=None, **options):
        probe = Probe(self.work, identity or self.device, ca or self.pki.servers.cert, endpoints or [self.endpoint],
                      f"{self.name}-{name}", env=env, **options)
        self.addCleanup(probe.__exit__)
        return probe.start()

    def preloaded(self, **env):
        """The shim's environment; the sanitizers' runtime need not be first then."""
        return dict(env, LD_PRELOAD=self.shim, ASAN_OPTIONS="verify_asan_link_order=0")

    def watch(self, *filters):
        watcher = self.probe(self.watcher, name="watcher")
        watcher.wait_log("^up ")
        for one in filters:
            watcher.say(f"subscribe 1 {one}")
            watcher.wait_log(rf"^subscribed {re.escape(one)} OK$")
        return watcher

    def test_connects_publishes_receives_and_stops(self):
        broker = self.broker()
        probe = self.probe(env={"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"})
        probe.wait_log(rf"^up {re.escape(self.endpoint)}$")
        probe.say("subscribe 1 ok/a")
        probe.wait_log(r"^subscribed ok/a OK$")
        probe.say("publish 1 0 1 ok/a hello")
        probe.wait_log(r"^delivered 1 OK$")
        probe.wait_log(r"^message ok/a hello retained=0 observed=$")
        probe.say("publish 0 0 1 ok/a again")
        probe.wait_log(r"^delivered 2 OK$")
        self.assertEqual(probe.end(), 0)
        self.assertRegex(probe.log_text(), r"stopped\nfreed\n$")
        broker.wait_log(r"Received DISCONNECT from cam-1")

    def test_a_wrong_host_name_is_refused(self):
        other = self.pki.server("other", ips=["127.9.9.9"], names=["elsewhere.test"])
        broker = self.broker(server=other)
        probe = self.probe()
        probe.wait_log(r"^down \S+ .+")
        probe.wait_count("^down ", 2)
        self.assertEqual(probe.count("^up "), 0)
        self.assertNotIn("New client connected", broker.log_text())

    def test_an_unknown_authority_is_refused_and_said(self):
        self.broker()
        probe = self.probe(ca=self.pki.devices.cert)
        probe.wait_log(r"^down AUTH connect failed .*: SSL routines:.*certificate verify failed")
        self.assertEqual(probe.count("^up "), 0)

    def test_a_client_certificate_of_another_authority_is_refused(self):
        self.broker()
        probe = self.probe(certs.Authority(self.work / "rogue", "rogue").issue("device", "cam-1"))
        probe.wait_count("^down ", 2)
        self.assertEqual(probe.count("^up "), 0)

    def test_comes_back_after_a_broker_restart_with_a_fresh_will(self):
        broker = self.broker()
        probe = self.probe(will="ok/gone")
        probe.wait_log("^up ")
        broker.kill()
        probe.wait_log(r"^down CLOSED connection lost$")
        probe.say("publish 1 0 1 ok/a x")
        probe.wait_log(r"^refused 1 STATE$")
        probe.wait_count("^down IO", 2)
        broker.start()
        probe.wait_count("^up ", 2)
        attempts = probe.count("^prepare ")
        self.assertGreaterEqual(attempts, 4)
        watcher = self.watch("ok/gone")
        probe.kill()
        watcher.wait_log(rf'^message ok/gone {{"v":1,"boot":1,"conn":{attempts}}} retained=0')

    def test_a_clean_stop_publishes_no_will_and_drains_first(self):
        broker = self.broker()
        watcher = self.watch("ok/#")
        probe = self.probe(will="ok/gone")
        probe.wait_log("^up ")
        probe.say("publish 1 0 300 ok/a x")
        self.assertEqual(probe.end(drain_ms=20000), 0)
        watcher.wait_count("^message ok/a ", 300)
        broker.wait_log(r"Received DISCONNECT from cam-1")
        watcher.say("publish 1 0 1 ok/end x")
        watcher.wait_log("^message ok/end ")
        self.assertEqual(watcher.count("^message ok/gone"), 0)

    def test_200_messages_do_not_stall_on_a_default_broker(self):
        self.broker()
        probe = self.probe()
        probe.wait_log("^up ")
        few = self.seconds_to_deliver(probe, 10, 10)  # they never fill a window: how fast this machine is today
        seconds = self.seconds_to_deliver(probe, 200, 210)
        self.assertEqual(probe.count("^delivered .* OK$"), 210)
        self.assertLess(seconds, 5 + 40 * few, "20/s is what a full window makes of Paho; 200 would take 10 s")

    def test_a_broker_that_does_not_read_for_a_while_keeps_nothing_from_us(self):
        proxy = FaultProxy(self.address, self.port)
        self.addCleanup(proxy.close)
        self.broker(server=self.pki.server("behind-proxy", ips=[self.address, proxy.address]))
        probe = self.probe(endpoints=[f"{proxy.address}:{proxy.port}"])
        probe.wait_log("^up ")
        probe.say("subscribe 0 ok/in")
        probe.wait_log("^subscribed ok/in OK$")
        other = self.probe(self.watcher, name="other")
        other.wait_log("^up ")
        proxy.mode = "deaf"
        probe.say(f"publish 0 0 50000 ok/out {'x' * 400}")  # far more than the socket takes
        self.wait_until_full(proxy)
        other.say("publish 0 0 1 ok/in y")
        probe.wait_log("^message ok/in y")
        proxy.mode = "pass"
        probe.wait_count("^delivered .* OK$", 50000)

    @staticmethod
    def wait_until_full(proxy):
        """Until what stands in the sockets to the proxy, on both ends, has not changed for ten looks."""
        peer, looks = f"{proxy.port:04X}", []
        end = time.monotonic() + procs.DEADLINE
        while len(looks) < 10 or len(set(looks[-10:])) > 1 or looks[-1] == 0:
            assert time.monotonic() < end, f"never full: {looks[-10:]}"
            time.sleep(0.02)  # between two looks at the condition
            with open("/proc/net/tcp", encoding="ascii") as table:
                rows = [row.split() for row in table.readlines()[1:]]
            looks.append(sum(int(row[4].split(":")[0], 16) for row in rows if row[2].endswith(f":{peer}")) +
                         sum(int(row[4].split(":")[1], 16) for row in rows if row[1].endswith(f":{peer}")))

    @staticmethod
    def seconds_to_deliver(probe, number, total):
        started = time.monotonic()
        probe.say(f"publish 1 0 {number} ok/a x")
        probe.wait_count("^delivered ", total)
        return time.monotonic() - started

    def test_a_denied_publish_says_so(self):
        self.broker()
        probe = self.probe()
        probe.wait_log("^up ")
        probe.say("publish 1 0 1 denied/a x")
        probe.wait_log(r"^delivered 1 DENIED$")

    def test_reconnect_on_demand_loses_no_will(self):
        self.broker()
        watcher = self.watch("ok/#")
        probe = self.probe(will="ok/gone")
        probe.wait_log("^up ")
        probe.say("reconnect")
        probe.wait_count("^up ", 2)
        probe.kill()
        watcher.wait_log(r'^message ok/gone {"v":1,"boot":1,"conn":2}')
        self.assertEqual(watcher.count("^message ok/gone"), 1)

    def test_a_connection_that_was_cut_is_made_anew_by_the_first_attempt(self):
        self.broker()
        probe = self.probe()
        for attempt in range(1, 21):
            probe.wait_count("^up ", attempt)
            probe.say("cut")
        probe.wait_count("^up ", 21)
        self.assertEqual(probe.count("^prepare "), 21)

    def test_paho_is_hurried_when_it_connects_again(self):
        """Fails with a Paho whose receiving thread has another name or waits for another time: see mqtt/paho_poll.h."""
        self.broker()
        probe = self.probe()
        for attempt in range(1, 4):
            probe.wait_count("^up ", attempt)
            probe.say("reconnect")
        probe.wait_count("^up ", 4)
        probe.say("shortened")
        self.assertGreater(int(probe.wait_log(r"^shortened (\d+)$")[1]), 0)

    def test_the_second_endpoint_and_the_second_address_are_tried(self):
        dead = f"{self.address}:{ports.free_port(self.address)}"
        self.broker()
        probe = self.probe(endpoints=[dead, f"broker.test:{self.port}"],
                           env=self.preloaded(SHIM_RESOLVER_MAP=f"broker.test={ports.loopback(1)},{self.address}"))
        probe.wait_log(rf"^up broker\.test:{self.port}$")
        self.assertEqual(probe.count("^prepare "), 3)

    @needs_ipv6
    def test_an_ipv6_address_behind_a_dead_ipv4_one_is_reached_with_the_name_checked(self):
        self.broker(address="::1")
        env = self.preloaded(SHIM_RESOLVER_MAP=f"broker.test={ports.loopback(1)},::1")
        self.probe(endpoints=[f"broker.test:{self.port}"], env=env).wait_log("^up ")

    @needs_ipv6
    def test_an_ipv6_address_as_endpoint_is_verified(self):
        self.broker(address="::1")
        self.probe(endpoints=[f"[::1]:{self.port}"]).wait_log(rf"^up \[::1\]:{self.port}$")

    def test_a_slow_resolver_stops_neither_the_loop_nor_the_connection(self):
        self.broker()
        probe = self.probe(endpoints=[f"broker.test:{self.port}"], timeout=3,
                           env=self.preloaded(SHIM_RESOLVER_MAP=f"broker.test={self.address}", SHIM_RESOLVER_MS="8000"))
        probe.wait_log("^up ")
        self.assertLess(probe.gap_ms(), 7000, "the loop stood still while the resolver slept")

    def test_a_stop_does_not_wait_for_a_hanging_resolver(self):
        probe = self.probe(endpoints=["broker.test:1"], env=self.preloaded(SHIM_RESOLVER_MS="600000"))
        self.assertEqual(probe.end(), 0)  # within the deadline of every wait, a fifth of the resolver's ten minutes

    def test_a_name_is_where_it_was_when_the_resolver_has_died(self):
        self.broker()
        probe = self.probe(endpoints=[f"broker.test:{self.port}"], timeout=3,
                           env=self.preloaded(SHIM_RESOLVER_MAP=f"broker.test={self.address}", SHIM_RESOLVER_DEAD="1,0"))
        probe.wait_log("^up ")
        probe.say("reconnect")
        probe.wait_count("^up ", 2)

    def test_comes_back_after_the_clock_stepped_back_an_hour(self):
        broker = self.broker()
        ahead = self.work.write(f"{self.name}-ahead", "3600\n")
        probe = self.probe(env=self.preloaded(SHIM_CLOCK=str(ahead)), timeout=3)
        probe.wait_log("^up ")
        broker.kill()
        probe.wait_log("^down ")
        ahead.write_text("0\n")
        broker.start()
        probe.wait_count("^up ", 2)
        probe.say("publish 1 0 1 ok/a x")
        probe.wait_log(r"^delivered 1 OK$")

    def test_a_hanging_attempt_ends_although_the_clock_stepped_back(self):
        """A listener that accepts and stays silent, Paho's send thread asleep by an hour: only the nudge ends it."""
        ahead = self.work.write(f"{self.name}-ahead", "3600\n")
        with procs.socket.create_server((self.address, self.port)) as silent:
            silent.listen(16)
            silent.settimeout(procs.DEADLINE)
            probe = self.probe(env=self.preloaded(SHIM_CLOCK=str(ahead)), timeout=2)
            connection, _ = silent.accept()
            ahead.write_text("0\n")
            probe.wait_log("^down IO ")
            connection.close()

    def test_the_tick_is_echoed_and_kept_from_the_owner(self):
        broker = self.broker()
        probe = self.probe(tick="ok/tick,200")
        probe.wait_log("^up ")
        broker.wait_until(lambda: broker.log_text().count("Sending PUBLISH to cam-1") >= 3, "ticks are echoed")
        self.assertEqual(probe.count("^(message|subscribed) ok/tick"), 0)


if __name__ == "__main__":
    unittest.main()
