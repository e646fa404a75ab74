# SPDX-License-Identifier: Apache-2.0
"""Addresses of hosts behind a gateway, computed by the coordinator and by Python's ipaddress: 100,000 random cases.

MUSTER_SEED repeats a run; the seed is printed.
"""
import ipaddress
import os
import pathlib
import random
import subprocess
import sys
import unittest

PROGRAM = pathlib.Path(os.environ["MUSTER_BUILD_DIR"]) / "tests" / "contract" / "host-address"
CASES = 100_000
SEED = int(os.environ.get("MUSTER_SEED") or random.SystemRandom().randrange(2**32))
ALL = 2**128 - 1


def network(chance):
    length = chance.choice([chance.randrange(129), 32, 48, 56, 60, 64])
    address = chance.getrandbits(128) & (ALL << (128 - length) & ALL)
    return ipaddress.IPv6Network((address, length))


def eui64(mac):
    return int.from_bytes(bytes([mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]]), "big")


def interface_id(chance):
    """Its text and what it is worth."""
    if chance.random() < 0.5:
        mac = bytes([chance.getrandbits(8) & 0xFE, *chance.randbytes(4), chance.randrange(1, 256)])
        text = chance.choice(":-").join(f"{byte:02x}" for byte in mac)
        return "mac", chance.choice([text, text.upper()]), eui64(mac)
    value = chance.getrandbits(chance.choice([8, 16, 64, 128]))
    address = ipaddress.IPv6Address(value)
    return "suffix", chance.choice([address.compressed, address.exploded, address.compressed.upper()]), value


def expected(prefix, kind, value, subnet):
    if kind == "mac" or subnet != 0:
        value &= 2**64 - 1
        if prefix.prefixlen > 64 or subnet >= 2 ** (64 - prefix.prefixlen):
            return None
    host = int(prefix.network_address) | (subnet << 64) | (value & int(prefix.hostmask))
    return ipaddress.IPv6Address(host)


def make(chance):
    prefix = network(chance)
    kind, text, value = interface_id(chance)
    room = max(64 - prefix.prefixlen, 0)
    subnet = 0
    if value < 2**64 and chance.random() < 0.6:  # the registry refuses a longer suffix with a subnet
        subnet = chance.getrandbits(min(room + chance.choice([0, 0, 0, 1]), 32)) if room or kind == "mac" else 0
    return f"{prefix} {kind} {text} {subnet}", expected(prefix, kind, value, subnet), prefix


def answers(lines):
    done = subprocess.run([PROGRAM], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class HostAddress(unittest.TestCase):
    def test_coordinator_and_python_agree(self):
        print(f"MUSTER_SEED={SEED}", file=sys.stderr)
        chance = random.Random(SEED)
        cases = [make(chance) for _ in range(CASES)]
        given = answers([line for line, _, _ in cases])
        self.assertEqual(len(given), CASES)
        none = 0
        for (line, wanted, prefix), answer in zip(cases, given):
            if wanted is None:
                none += 1
                self.assertEqual(answer, "none", line)
            else:
                self.assertEqual(ipaddress.IPv6Address(answer), wanted, line)
                self.assertIn(wanted, prefix, line)
        self.assertTrue(CASES / 50 < none < CASES / 2, f"{none} without room: too few of one kind to mean anything")

    def test_a_wrong_expectation_is_noticed(self):
        prefix = ipaddress.IPv6Network("2a00:1:2::/48")
        wanted = expected(prefix, "suffix", 0x10, 7)
        self.assertEqual(answers([f"{prefix} suffix ::10 7"]), [str(wanted)])
        self.assertNotEqual(answers([f"{prefix} suffix ::10 8"]), [str(wanted)])

    def test_what_is_no_case_is_refused(self):
        for line in ("2a00::1/64 suffix ::1 0", "2a00::/64 mac 01:00:5e:00:00:01 0", "2a00::/64 suffix ::1%eth0 0",
                     "2a00::/64 suffix ::1 4294967296", "2a00::/129 suffix ::1 0", "2a00::/64 suffix"):
            self.assertEqual(answers([line]), ["refused"], line)


if __name__ == "__main__":
    unittest.main()
