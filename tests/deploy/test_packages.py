#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian packages on a clean server and a clean device: README and docs/small-deployment.md followed to the letter."""
import json
import pathlib
import re
import subprocess
import textwrap
import unittest

import clean_root
from clean_root import Folder, Root, run
from closure import Closure
from muster_testlib import build_dir, source_dir
from muster_testlib.mqttclient import Client, NOT_AUTHORIZED
from muster_testlib.procs import port_accepts, wait_until
from services import Services

SERVER, DEVICE = "198.51.100.1", "198.51.100.2"
UNITS = ("muster-agent", "muster-coordinator", "muster-provisioner", "muster-broker")


def build_packages(work):
    folder = work.folder("packages")
    run("cpack", "-B", folder, cwd=build_dir())
    found = {path.name.split("_")[0]: path for path in folder.glob("*.deb")}
    assert set(found) == {"muster-agent", "muster-broker", "muster-cli", "muster-coordinator", "muster-provisioner"}, found
    return found


def readme_blocks():
    """The README's small deployment, block by block; the first is the installation of the packages."""
    text = (source_dir() / "README.md").read_text()
    part = re.search(r"^## [^\n]*real deployment[^\n]*\n(.*?)^## ", text, re.M | re.S)[1]
    return [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```$", part, re.M | re.S)]


def installed_on(machine, text):
    """Packages that a page's `apt install` line for the machine names."""
    words = re.search(rf"^apt install (.*?) *# on the {machine}$", text, re.M)[1].split()
    return [re.sub(r"^\./|_\*\.deb$", "", word) for word in words]


def blocks(kind):
    """The lines of the page that are for `kind`."""
    text = (source_dir() / "docs" / "small-deployment.md").read_text()
    found = re.findall(rf"^```sh {kind}\n(.*?)^```$", text, re.M | re.S)
    assert found, f"the page has no lines for the {kind}"
    return found


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Folder()
        cls.packages = build_packages(cls.work)
        run("ip", "link", "set", "lo", "up")

    def install(self, name, packages, network=None):
        root = Root(self.work, name, network)
        root.install([self.packages[package] for package in packages])
        return root

    def test_a_machine_that_follows_a_page_has_what_the_page_calls(self):
        """On the clean roots everything is there that this machine has; so it is asked of dpkg."""
        closure = Closure(self.install("closure", self.packages))
        self.assertEqual(closure.missing("x=$(kdig a | sed b)\n(umask 077; runuser -u a -- openssl c)\n", []),
                         {"kdig": "knot-dnsutils", "openssl": "openssl"}, "the question itself")
        names = re.findall(r"^([^\s#]+)", (source_dir() / "deploy/packages/build").read_text(), re.M)
        install, *setup, device_lines, look = readme_blocks()
        build, _, _ = install.partition("apt install")
        pages = {"README.md": (install, [build], [*setup, look], [device_lines]),
                 "docs/small-deployment.md": (blocks("packages")[0], blocks("build"), blocks("server") + blocks("look") +
                                              blocks("laboratory"), blocks("device"))}
        for page, (install, *parts) in pages.items():
            there = (names, installed_on("server", install), installed_on("device", install))
            for lines, packages in zip(parts, there):
                with self.subTest(page, packages=packages):
                    self.assertEqual(closure.missing("\n".join(lines), packages), {})

    def control(self, package, field):
        return run("dpkg-deb", "-f", self.packages[package], field).strip()

    def test_dependencies_and_files(self):
        for package in ("muster-agent", "muster-coordinator", "muster-provisioner"):
            self.assertIn("libpaho-mqtt1.3 (>= 1.3.12)", self.control(package, "Depends"))
            self.assertRegex(self.control(package, "Depends"), "libwolfssl[0-9]+")
        self.assertIn("mosquitto (>= 2.0.11)", self.control("muster-broker", "Depends"))
        self.assertIn("libcurl4", self.control("muster-agent", "Depends"))
        self.assertIn("ca-certificates", self.control("muster-agent", "Recommends"))
        self.assertRegex(run("dpkg-deb", "-c", self.packages["muster-agent"]), r"-rwxr-xr-x root/root .* \./usr/libexec/muster/muster-echo\n")
        for package, path in self.packages.items():
            listing = run("dpkg-deb", "-c", path)
            self.assertNotIn("/usr/local", listing)
            self.assertNotRegex(listing, "bench|swarm", f"{package} holds what is for tests only")

    def test_each_package_says_its_licence(self):
        licence = (source_dir() / "LICENSE").read_text()
        self.assertIn("Apache License", licence)
        for name in ("wolfSSL", "libknot", "GPL-3.0-or-later"):
            self.assertIn(name, licence, "the note on GPL libraries")
        for package, path in self.packages.items():
            tree = self.work.folder(f"tree-{package}")
            run("dpkg-deb", "-x", path, tree)
            text = (tree / "usr/share/doc" / package / "copyright").read_text()
            self.assertIn((source_dir() / "NOTICE").read_text(), text)
            self.assertIn(licence, text)

    def test_units_are_right_and_hardened(self):
        root = self.install("units", self.packages)
        for unit in UNITS:
            with self.subTest(unit):
                path = f"/usr/lib/systemd/system/{unit}.service"
                root.run("systemd-analyze", "verify", "--man=no", path)
                verdict = root.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager",
                                   path)
                print(unit, re.search("Overall exposure.*", verdict)[0])
                self.assertIn("https_proxy", root.unit(unit)["UnsetEnvironment"])
        self.assertEqual(root.unit("muster-agent")["RestartPreventExitStatus"], "78")

    def test_a_root_holds_nothing_of_the_machine_that_can_be_written(self):
        root = Root(self.work, "empty")
        kinds = {}
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[4].startswith(f"{root.path}"):
                kinds[fields[4]] = fields[fields.index("-") + 1]
        self.assertIn(str(root.path), kinds)
        self.assertLessEqual(set(kinds.values()), {"overlay", "tmpfs", "proc"}, kinds)

    def test_the_operators_changes_survive_and_a_purge_removes_all(self):
        root = self.install("upgrade", self.packages)
        config = root / "etc/muster/coordinator.yaml"
        config.write_text(config.read_text() + "# mine\n")
        root.install(self.packages.values())
        self.assertTrue(config.read_text().endswith("# mine\n"))
        root.run("dpkg", "--remove", *self.packages)
        self.assertTrue(config.exists())
        self.assertFalse((root / "usr/sbin/muster-coordinator").exists())
        root.run("dpkg", "--purge", *self.packages)
        self.assertFalse(config.exists())
        self.assertEqual(list((root / "usr/lib/systemd/system").glob("muster-*")), [])

    def connect(self):
        """Server and device on one wire; the test itself is on the server's network."""
        run("ip", "netns", "add", "device")
        self.addCleanup(run, "ip", "netns", "del", "device")
        run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", "device")
        run("ip", "address", "add", f"{SERVER}/24", "dev", "wire")
        run("ip", "link", "set", "wire", "up")
        run("ip", "-n", "device", "-batch", "-",
            input=f"link set lo up\naddress add {DEVICE}/24 dev eth0\nlink set eth0 up\n")

    def machines(self, name, page):
        """Both with what the page's `apt install` lines name, Debian's services running."""
        self.connect()
        named = [installed_on(machine, page) for machine in ("server", "device")]
        ours = [[package for package in packages if package in self.packages] for packages in named]
        server = self.install(f"{name}-server", ours[0])
        device = self.install(f"{name}-device", ours[1], "device")
        for root in (server, device):
            with open(root / "etc/hosts", "a", encoding="ascii") as hosts:
                hosts.write(f"{SERVER} broker.example.net\n")
        found = [(root, Services(root, self.work.folder("logs"), self.addCleanup)) for root in (server, device)]
        found[0][1].installed(*named[0], "mosquitto")
        return found

    def test_the_small_deployment(self):
        """Line by line, in the page's order."""
        (server, at_server), (device, at_device) = self.machines("small", blocks("packages")[0])
        for text in blocks("server"):
            at_server.follow(text)
        self.copy_identity(server, device)
        for text in blocks("device"):
            at_device.follow(text)
        self.follow_the_answer(device, at_server)
        self.assertIn(DEVICE, at_server.follow(blocks("look")[0]).split("\n"))
        self.viewers_see_the_fleet_only()

    def test_the_readme(self):
        """Line by line."""
        (server, at_server), (device, at_device) = self.machines("readme", readme_blocks()[0])
        _, *setup, device_lines, look = readme_blocks()
        for text in setup:
            at_server.follow(text)
        self.copy_identity(server, device)
        # The addresses here are documentation's: doctor warns of that, and says so by its exit status.
        at_device.follow(re.sub(r"^(muster-agent doctor\b[^#\n]*)", r"\1 || [ $? -eq 1 ] ", device_lines, flags=re.M))
        self.follow_the_answer(device, at_server)
        seen = at_server.follow(look)
        print(seen)
        self.assertIn(DEVICE, seen.split("\n"))

    def test_a_service_that_runs_keeps_its_configuration_until_it_is_restarted(self):
        """What the pages must reckon with; Knot runs from the moment on that Debian installs it."""
        services = Services(Root(self.work, "units-of-debian"), self.work.folder("logs"), self.addCleanup)
        services.installed("knot")
        listening = lambda: port_accepts("127.0.0.1", 53)
        self.assertFalse(listening())
        services.follow("printf 'server:\\n    listen: 127.0.0.1@53\\n    user: knot:knot\\n' >/etc/knot/knot.conf\n"
                        "systemctl enable --now knot\n")
        self.assertFalse(listening())
        services.follow("systemctl restart knot\n")
        self.assertTrue(listening())

    @staticmethod
    def copy_identity(server, device):
        for source, target in (("cam-1.pem", "device.pem"), ("cam-1.key", "device.key"),
                               ("bundle-server.pem", "server-ca.pem")):
            content = (server / "root/muster-ca" / source).read_bytes()
            pathlib.Path(device / "etc/muster" / target).write_bytes(content)

    def follow_the_answer(self, device, at_server):
        """The wire's addresses are from a block for documentation: only a laboratory publishes them."""
        wait_until(lambda: '"not-public"' in device.run("muster-agent", "status", "--json"), "the device is told why not")
        at_server.follow(blocks("laboratory")[0])
        wait_until(lambda: self.answer() == [DEVICE], f"cam-1.cams.example.net answers {DEVICE}")
        status = json.loads(device.run("muster-agent", "status", "--json"))
        self.assertEqual((status["device"], status["connection"]["state"]), ("cam-1", "connected"))

    def viewers_see_the_fleet_only(self):
        """Any local user can connect there."""
        viewer = Client("127.0.0.1", 1884, client_id="Me.1")
        self.addCleanup(viewer.disconnect)
        for one in ("muster/v1/up/#", "muster/v1/dn/#"):
            self.assertEqual(viewer.subscribe(one), NOT_AUTHORIZED)
        self.assertEqual(viewer.subscribe("muster/v1/fleet/#"), 1)
        viewer.wait_messages(1, lambda message: message.topic == "muster/v1/fleet/summary")

    @staticmethod
    def answer():
        done = subprocess.run(["kdig", "@127.0.0.1", "+short", "+timeout=1", "+retry=0", "cam-1.cams.example.net.",
                               "A"], capture_output=True, text=True, check=False)
        return done.stdout.split()


if __name__ == "__main__":
    clean_root.enter()
    unittest.main()
