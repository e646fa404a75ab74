# SPDX-License-Identifier: Apache-2.0
"""sizes: what the agent's programs take in builds that leave something out, with the flags of the preset release.

One tree is configured for one variant after the other, so that only what differs is compiled again. Each program that
comes out has to be the variant: a source or command that it should have and has not is `lost`, one that it should not
have is `wrong`. Text and data are what `size` counts, without what a program shares with others (its libraries)."""
import json
import os
import re
import shutil
import subprocess

from muster_testlib import build_dir, source_dir
from muster_testlib.procs import Workspace

from .tools import ToolFailed

PROGRAMS = ("muster-agent", "muster-echo", "muster-igd")
COMMANDS = ("ip", "doctor")
# What each type needs in a config to be accepted.
SOURCES = {
    "dns": {"service": "google"}, "exec": {"command": ["/bin/true"]}, "http": {"url": "https://192.0.2.1/", "format": "text"},
    "pcp": {}, "static": {"address4": "192.0.2.1"}, "stun": {"server": "192.0.2.1:3478"}, "upnp": {"ip6": False},
}
MOST = tuple(kind for kind in SOURCES if kind != "upnp")
# name: (sources, commands)
VARIANTS = {
    "all": (tuple(SOURCES), COMMANDS),
    "default": (MOST, COMMANDS),
    "no-doctor": (MOST, ("ip",)),
    "no-commands": (MOST, ()),
    **{f"only-{kind}": ((kind,), COMMANDS) for kind in SOURCES},
    "no-sources": ((), COMMANDS),
    "small": (("stun",), ()),
    "least": ((), ()),
}


def options_of(variant):
    """The CMake options that make it."""
    sources, commands = VARIANTS[variant]
    listed = "all" if set(MOST) <= set(sources) else ";".join(sources) or "none"
    return [f"-DMUSTER_SOURCES={listed}", f"-DMUSTER_UPNP={'ON' if 'upnp' in sources else 'OFF'}",
            f"-DMUSTER_COMMANDS={'all' if commands == COMMANDS else ';'.join(commands) or 'none'}"]


def _run(*argv, **more):
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise ToolFailed(f"{' '.join(map(str, argv))}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _build(tree, variant):
    """The variant's programs: {name: path}. What a variant before it left in the tree and this one has not is gone."""
    for name in PROGRAMS:
        (tree / "agent" / name).unlink(missing_ok=True)
    _run("cmake", "--preset", "release", "-B", tree, "-DMUSTER_TESTS=OFF", *options_of(variant), cwd=source_dir())
    targets = set(re.findall(r"^(muster-\w+): phony$", _run("cmake", "--build", tree, "--target", "help"), re.MULTILINE))
    _run("cmake", "--build", tree, "--target", *sorted(targets & set(PROGRAMS)))
    return {name: tree / "agent" / name for name in PROGRAMS if name in targets}


def _measure(program, work):
    """Bytes of text, of data (with what begins as zeroes), and of the file without symbols; libraries that it names."""
    text, data, bss = map(int, _run("size", program).splitlines()[1].split()[:3])
    stripped = work / "stripped"
    shutil.copy2(program, stripped)
    _run("strip", stripped)
    needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", _run("readelf", "-d", program))
    return {"text": text, "data": data + bss, "file": os.stat(stripped).st_size, "libraries": len(needed)}


def _has_source(agent, work, kind):
    """Whether the program knows what to do with a source of that type; ToolFailed when it says neither."""
    config = work.write("agent.yaml", json.dumps({
        "device_id": "cam-1", "broker": {"endpoints": ["192.0.2.1:8883"]},
        "tls": {"ca_file": "/ca.pem", "cert_file": "/device.pem", "key_file": "/device.key"},
        "detect": {"sources": [{"type": kind, **SOURCES[kind]}]}}))
    done = subprocess.run([agent, "-c", config, "--dump-config"], capture_output=True, text=True, check=False)
    if done.returncode != 0 and f"the source {kind} was left out of this build" not in done.stderr:
        raise ToolFailed(f"{kind}: exit status {done.returncode}: {done.stderr}")
    return done.returncode == 0


def judge(variant, programs, work):
    """(what the variant should have and has not, what it has and should not)"""
    sources, commands = VARIANTS[variant]
    agent = programs["muster-agent"]
    helps = _run(agent, "--help")
    wanted = {*sources, *commands, *(["muster-echo"] if "http" in sources else []), *(["muster-igd"] if "upnp" in sources else [])}
    found = {kind for kind in SOURCES if _has_source(agent, work, kind)}
    found |= {name for name in COMMANDS if re.search(rf"^  {name} {{2,}}", helps, re.MULTILINE)}
    found |= {name for name in PROGRAMS[1:] if name in programs}
    return sorted(wanted - found), sorted(found - wanted)


def _cells(sizes):
    return [f"{sizes[name]['text'] + sizes[name]['data']:>12,}" if name in sizes else f"{'-':>12}" for name in PROGRAMS]


def run(options, out):
    if not (source_dir() / "CMakePresets.json").exists():
        raise ToolFailed("sizes builds the sources, and they are not here")
    names = options.variant or list(VARIANTS)
    if set(names) - set(VARIANTS):
        raise ToolFailed(f"variants are: {' '.join(VARIANTS)}")
    found, lost, wrong = [], [], []
    out(f"{'text and data, bytes':22}" + "".join(f"{name:>13}" for name in PROGRAMS) + "   stripped  built with")
    with Workspace("muster-bench-") as work:
        for name in names:
            programs = _build(build_dir() / "sizes", name)
            sizes = {program: _measure(path, work) for program, path in programs.items()}
            missing, beyond = judge(name, programs, work)
            lost += [f"{name}: {what}" for what in missing]
            wrong += [f"{name}: {what}" for what in beyond]
            out(f"{name:22}" + " ".join(["", *_cells(sizes)]) + f"{sizes['muster-agent']['file']:>11,}  " + " ".join(options_of(name)))
            found.append({"name": name, "options": options_of(name), **sizes})
    return {"bench": "sizes", "lost": len(lost), "wrong": len(wrong), "missing": lost, "beyond": wrong, "variants": found}, [
        ("variants as asked", len(names), len(names) - len({what.split(":")[0] for what in lost + wrong}), not lost and not wrong)]
