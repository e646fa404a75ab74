#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every way in which muster-swarm plays a fleet, small, against the real broker, coordinator and Knot: whatever the
fleet did, the zone says what its log says."""
import pathlib
import re
import sys
import unittest

from muster_testlib import source_dir
from muster_testlib.dns import update
from muster_testlib.procs import wait_until

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from musterbench import oracle  # noqa: E402 (its folder is not a package of the system)
from musterbench.deployment import ZONE, Deployment  # noqa: E402
from musterbench.tools import metric, metrics  # noqa: E402

DEVICES = 100


class Swarm(unittest.TestCase):
    own = False

    @classmethod
    def setUpClass(cls):
        cls.deployment = Deployment(DEVICES, connections=10, own=cls.own).start()
        cls.addClassCleanup(cls.deployment.__exit__)
        cls.swarm = cls.deployment.swarm(dns=cls.deployment.dns)
        cls.swarm.ask("connect")
        cls.swarm.ask("storm")

    def counted(self, name):
        return metric(metrics(self.deployment.metrics_port), name)

    def check_zone(self):
        found, _ = oracle.settle(self.swarm, self.deployment, ZONE)
        self.assertEqual((found["devices"], found["lost"], found["wrong"]), (DEVICES, 0, 0), found["examples"])

    def test_heartbeats_change_nothing(self):
        changes, states = self.counted("muster_changes_total"), self.counted("muster_states_total")
        done = self.swarm.ask("heartbeat 5")
        self.assertEqual((done["published"], done["refused"]), (5 * DEVICES, 0))
        self.deployment.coordinator.wait_until(
            lambda: self.counted("muster_states_total") - states >= 5 * DEVICES, "every heartbeat is counted")
        self.assertEqual(self.counted("muster_changes_total"), changes)

    def test_steady_heartbeats(self):
        self.assertGreaterEqual(self.swarm.ask("steady 2 1")["published"], DEVICES)

    def test_flaps_end_with_the_last_address(self):
        self.assertEqual(self.swarm.ask("flap 30 20")["refused"], 0)
        self.check_zone()

    def test_no_more_than_a_few_at_a_time(self):
        done = self.swarm.ask("populate 7")
        self.assertEqual((done["published"] - done["repeats"], done["acked"]), (DEVICES, DEVICES))
        self.check_zone()

    def test_a_reconnect_storm(self):
        done = self.swarm.ask("reconnect")
        self.assertGreaterEqual(done["published"], DEVICES)
        self.swarm.ask("storm")
        self.check_zone()


class SwarmOfOwnConnections(Swarm):
    """The shipped plugin's rights: a certificate and a connection a device."""

    own = True


class Planted(unittest.TestCase):
    """What every bench takes its verdict from sees what is planted in the zone of a fleet that did its job."""

    def test_lost_wrong_and_of_nobody(self):
        deployment = Deployment(DEVICES, connections=10).start()
        self.addCleanup(deployment.__exit__)
        swarm = deployment.swarm(dns=deployment.dns)
        swarm.ask("connect")
        swarm.ask("storm")

        def verdict(patience_s=1):
            found, _ = oracle.settle(swarm, deployment, ZONE, patience_s=patience_s)
            return found["lost"], found["wrong"]

        self.assertEqual(verdict(oracle.PATIENCE_S), (0, 0))
        for planted, expected in ((["del cam-000003.example.net. A"], (1, 0)),
                                  (["del cam-000004.example.net. A", "add cam-000004.example.net. 60 A 9.9.9.9"], (1, 1)),
                                  (["add nobody.example.net. 60 A 9.9.9.9"], (1, 2))):
            self.assertEqual(update(deployment.dns, *planted), "")
            self.assertEqual(verdict(), expected)
        swarm.ask("storm")  # everyone changes: what was planted at devices is gone, what nobody owns stays
        wait_until(lambda: verdict() == (0, 1), "only what nobody owns is wrong")
        deployment.devices += 1
        self.assertRaisesRegex(AssertionError, "log has 100 of 101", verdict)


class Repeats(unittest.TestCase):
    """Nobody acknowledges: the coordinator never starts."""

    def play(self, broker):
        """Repeats of DEVICES reports within one and a half first pauses of an agent, and six seconds, behind them."""
        header = (source_dir() / "agent" / "report.h").read_text()
        pause_ms = int(re.search(r"\.repeat_first_ms = (\d+)", header)[1])
        swarm = self.deployment.swarm(f"swarm-{broker.name}", broker=broker)
        swarm.ask("connect")
        self.assertEqual(swarm.ask("publish")["published"], DEVICES)
        return swarm.ask(f"watch {pause_ms * 3 // 2 + 6000}")["repeats"]

    def setUp(self):
        self.deployment = Deployment(DEVICES, connections=10)
        self.addCleanup(self.deployment.__exit__)

    def test_at_the_pauses_of_an_agent(self):
        # The first pause is spread by half, so each once by then; the next is twice as long, so hardly any twice.
        self.assertIn(self.play(self.deployment.broker.start()), range(DEVICES, 3 * DEVICES // 2))

    def test_none_at_a_baseline(self):
        self.assertEqual(self.play(self.deployment.new_broker("broker-baseline").start()), 0)


class Misbehaviour(Swarm):
    """Again, behind a fleet that has sent rubbish."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = cls.swarm.ask("misbehave 5")
        assert done["published"] == 5 * DEVICES
        cls.deployment.coordinator.wait_until(
            lambda: metric(metrics(cls.deployment.metrics_port), "muster_messages_refused_total") > DEVICES,
            "the rubbish is counted")


if __name__ == "__main__":
    unittest.main()
