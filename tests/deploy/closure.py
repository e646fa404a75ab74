# SPDX-License-Identifier: Apache-2.0
"""Which commands a page calls, and which packages a machine has that follows the page.

A clean root shows this machine's Debian with all that the tests need, so a package that the page forgot is not missed
there. Here it is: by dpkg's records, from the packages that every Debian has and those that the page names.
"""
import re
import shlex

_EVERYWHERE = ("required", "important")
_FIELDS = "${Package}\t${Essential}\t${Priority}\t${Pre-Depends}, ${Depends}\t${Provides}\n"


def commands(text):
    """The first words of the simple commands of a shell text; of `runuser -u X -- Y`, runuser and Y."""
    for inner in re.findall(r"\$\(([^()]*)\)", text):
        yield from commands(inner)
    for line in re.sub(r"\$\([^()]*\)", "", text).replace("\\\n", " ").splitlines():
        words, first = shlex.shlex(line, posix=True, punctuation_chars=True), True
        words.whitespace_split = True
        for word in words:
            if re.fullmatch(r"[();&|]+", word) or word == "--":
                first = True
            elif first and not re.match(r"\w+=", word):
                yield word
                first = False


class Closure:
    """What is installed in `root` as a graph of dependencies."""

    def __init__(self, root):
        self._root = root
        self._depends, self._provided, self._base = {}, {}, set()
        for line in root.run("dpkg-query", "-W", "-f", _FIELDS).splitlines():
            name, essential, priority, depends, provides = line.split("\t")
            self._depends[name] = [[_name(one) for one in group.split("|")] for group in depends.split(",") if group.strip()]
            for virtual in filter(None, map(_name, provides.split(","))):
                self._provided.setdefault(virtual, name)
            if essential == "yes" or priority in _EVERYWHERE:
                self._base.add(name)

    def of(self, packages):
        """These packages, those that every Debian has, and what they all depend on."""
        found, waiting = set(), [*self._base, *packages]
        while waiting:
            name = waiting.pop()
            assert name in self._depends, f"{name} is not installed here (deploy/packages)"
            if name not in found:
                found.add(name)
                waiting += filter(None, map(self._chosen, self._depends[name]))
        return found

    def _chosen(self, alternatives):
        """What apt takes: the first that there is."""
        for name in alternatives:
            if name in self._depends or name in self._provided:
                return name if name in self._depends else self._provided[name]
        return None

    def owner(self, command):
        """The package that the command comes from; None: the shell's own. Fails when there is no such command."""
        path = self._root.run("sh", "-c", f"command -v {shlex.quote(command)}").strip()
        if not path.startswith("/"):
            return None
        paths = {path, path.removeprefix("/usr")}  # dpkg knows programs of /bin by that name
        listed = self._root.run("sh", "-c", "dpkg-query -S \"$@\" 2>/dev/null || true", "sh", *paths)
        owners = {line.split(":")[0] for line in listed.splitlines() if not line.startswith("diversion ")}
        assert len(owners) == 1, (command, owners)
        return owners.pop()

    def missing(self, text, packages):
        """Commands of `text` that a machine with `packages` need not have: {command: its package}."""
        there = self.of(packages)
        owners = {command: self.owner(command) for command in commands(text)}
        return {command: owner for command, owner in owners.items() if owner is not None and owner not in there}


def _name(dependency):
    return re.sub(r"[(:].*", "", dependency.strip()).strip()
