#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/lib/packages.sh on a clean root with an archive of its own: what it installs, and what it leaves as it was."""
import unittest

import clean_root
from clean_root import Folder, Root, run
from muster_testlib import source_dir

POLICY = "usr/sbin/policy-rc.d"
# A package with a service, as mosquitto or knot are one; its script records what would have happened to the service.
_CONTROL = """Package: {name}
Version: 1
Architecture: all
Maintainer: test <test@example.net>
Description: a service
"""
_POSTINST = """#!/bin/sh
if /usr/sbin/policy-rc.d {name} start; then echo started; else echo "kept $?"; fi >/tmp/service
exit {code}
"""
_UNIT = "[Unit]\nDescription=test\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"


def make_package(folder, name, code):
    tree = folder / name
    for path, text, mode in (("DEBIAN/control", _CONTROL, 0o644), ("DEBIAN/postinst", _POSTINST, 0o755),
                             (f"lib/systemd/system/{name}.service", _UNIT, 0o644)):
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(name=name, code=code))
        file.chmod(mode)
    run("dpkg-deb", "--build", "--root-owner-group", tree, folder / f"{name}.deb")


class Install(unittest.TestCase):
    def setUp(self):
        self.root = Root(Folder(), self.id().rsplit(".", 1)[1])
        archive = self.root / "srv/archive"
        archive.mkdir()
        make_package(archive, "muster-test-service", 0)
        make_package(archive, "muster-test-broken", 1)
        self.root.shell("cd /srv/archive && dpkg-scanpackages --multiversion . >Packages\n"
                        "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*\n"
                        "echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list\n"
                        "rm -f /usr/sbin/policy-rc.d")
        library = self.root / "srv/packages.sh"
        library.write_text((source_dir() / "deploy/lib/packages.sh").read_text())

    def ensure(self, *names):
        """Exit status of packages_ensure."""
        (self.root / "srv/list").write_text("".join(f"{name}  # why\n" for name in names) + "# nothing\n")
        script = "source /srv/packages.sh; (packages_ensure /srv/list) >/tmp/log 2>&1; echo $?"
        return self.root.run("bash", "-c", script).strip()

    def log(self):
        return (self.root / "tmp/log").read_text()

    def installed(self, name):
        script = f"dpkg-query -W -f='${{db:Status-Status}}' {name} 2>/dev/null || true"
        return self.root.run("sh", "-c", script) == "installed"

    def test_a_service_is_installed_but_neither_started_nor_enabled(self):
        self.root.run("ln", "-s", "/lib/systemd/system/muster-test-service.service",
                      "/etc/systemd/system/multi-user.target.wants/muster-test-service.service")
        self.assertEqual(self.ensure("muster-test-service", "bash"), "0", self.log())
        self.assertTrue(self.installed("muster-test-service"))
        self.assertEqual((self.root / "tmp/service").read_text(), "kept 101\n")
        self.assertFalse((self.root / POLICY).exists())
        wants = self.root / "etc/systemd/system/multi-user.target.wants/muster-test-service.service"
        self.assertFalse(wants.is_symlink(), "it would start at the next boot")

    def test_nothing_is_asked_when_nothing_is_missing(self):
        self.assertEqual(self.ensure("muster-test-service"), "0", self.log())
        (self.root / "etc/apt/sources.list").write_text("deb file:/nowhere ./\n")
        self.assertEqual(self.ensure("muster-test-service", "bash"), "0")
        self.assertEqual(self.log(), "")

    def test_a_failed_installation_says_so_and_takes_its_policy_away(self):
        self.assertNotEqual(self.ensure("muster-test-broken"), "0")
        self.assertFalse((self.root / POLICY).exists())
        self.assertNotEqual(self.ensure("muster-test-that-does-not-exist"), "0")
        self.assertFalse((self.root / POLICY).exists())

    def test_a_policy_that_exists_is_left_alone(self):
        mine = "#!/bin/sh\nexit 0\n"
        (self.root / POLICY).write_text(mine)
        (self.root / POLICY).chmod(0o755)
        self.assertEqual(self.ensure("muster-test-service"), "0", self.log())
        self.assertEqual((self.root / "tmp/service").read_text(), "started\n")
        self.assertEqual((self.root / POLICY).read_text(), mine)


if __name__ == "__main__":
    clean_root.enter()
    unittest.main()
