# SPDX-License-Identifier: Apache-2.0
"""wolfSSL exports six names of OpenSSL's libssl. No other library of a process may end up calling wolfSSL's."""
import os
import re
import stat
import subprocess
import unittest

BUILD = os.environ["MUSTER_BUILD_DIR"]
WOLFSSL, LIBSSL = "libwolfssl.so", "libssl.so"
PLACES = ("agent", "coordinator", "provisioner", "cli", os.path.join("tests", "contract"), os.path.join("tests", "bench"), "tools")


def programs():
    """Every program of ours that the build made, by path."""
    for place in PLACES:
        for folder, _, files in os.walk(os.path.join(BUILD, place)):
            for name in files:
                path = os.path.join(folder, name)
                if name.startswith("muster") and "." not in name and "CMakeFiles" not in folder \
                        and stat.S_IMODE(os.lstat(path).st_mode) & stat.S_IXUSR and is_elf(path):
                    yield path


def is_elf(path):
    """Scripts have programs' names too."""
    with open(path, "rb") as handle:
        return handle.read(4) == b"\x7fELF"


def needed(path):
    output = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output)


def bindings(path):
    """(from, to, symbol) of everything that the loader binds before main."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
                          env={**os.environ, "LD_BIND_NOW": "1", "LD_DEBUG": "bindings"})
    return re.findall(r"binding file (\S+) \[0\] to (\S+) \[0\]: \S+ symbol `([^']+)'", done.stderr)


def foreign_calls(found, program):
    return sorted({(os.path.basename(source), symbol) for source, target, symbol in found
                   if WOLFSSL in target and WOLFSSL not in source and os.path.realpath(source) != os.path.realpath(program)})


class Linkage(unittest.TestCase):
    def test_only_our_own_code_calls_wolfssl(self):
        checked = []
        for program in programs():
            libraries = needed(program)
            if not any(WOLFSSL in name for name in libraries):
                continue
            with self.subTest(program=program):
                found = bindings(program)
                self.assertTrue(any(WOLFSSL in target for _, target, _ in found), "the loader said nothing")
                self.assertEqual(foreign_calls(found, program), [])
                order = [name.split(".so")[0] for name in libraries]
                if "libssl" in order:
                    self.assertLess(order.index("libssl"), order.index("libwolfssl"))
            checked.append(os.path.basename(program))
        self.assertIn("muster", checked)

    def test_paho_calls_what_we_put_before_the_c_library(self):
        """mqtt/paho_poll.c, paho_alert.c and lookup.c: an optimizer or linker that drops them is silent about it."""
        for place, name in (("agent", "muster-agent"), ("coordinator", "muster-coordinator")):
            program = os.path.join(BUILD, place, name)
            calls = {symbol for source, target, symbol in bindings(program)
                     if "paho" in source and os.path.realpath(target) == os.path.realpath(program)}
            self.assertLessEqual({"poll", "getaddrinfo", "SSL_get_error"}, calls, program)

    def test_certificates_are_judged_by_the_agent_s_time(self):
        """agent/floor.c, in front of the C library for the library that judges them."""
        program = os.path.join(BUILD, "agent", "muster-agent")
        callers = {os.path.basename(source).split(".so")[0] for source, target, symbol in bindings(program)
                   if symbol == "time" and os.path.realpath(target) == os.path.realpath(program)}
        self.assertLessEqual({"libcrypto", "libwolfssl"}, callers)

    def test_the_agent_loads_no_more_than_a_camera_needs(self):
        libraries = needed(os.path.join(BUILD, "agent", "muster-agent"))
        self.assertTrue(any("paho" in name for name in libraries), libraries)
        for heavy in ("curl", "microhttpd", "miniupnpc", "sqlite", "knot"):
            self.assertFalse(any(heavy in name for name in libraries), f"{heavy} in {libraries}")
        self.assertTrue(any("curl" in name for name in needed(os.path.join(BUILD, "agent", "muster-echo"))))

    def test_the_judge_sees_a_call_that_went_astray(self):
        line = [("/lib/libssl.so.3", "/lib/libwolfssl.so.35", "SSL_COMP_get_compression_methods"), ("/bin/p", "/lib/libwolfssl.so.35", "wc_InitRng")]
        self.assertEqual(foreign_calls(line, "/bin/p"), [("libssl.so.3", "SSL_COMP_get_compression_methods")])


if __name__ == "__main__":
    unittest.main()
