# SPDX-License-Identifier: Apache-2.0
"""detect: changes of the network, in namespaces (tests/lib/muster_testlib/scenarios.py), and how long the name of a camera
is wrong after each: with muster-agent, and with inadyn and ddclient on the same camera at the same time.

The others ask an HTTP echo and update by dyndns2, both one hop away, as often as they can be told to (30 and 60 s; their
defaults are 120 and 300 s). An address that one of them, or we, publish and that is not the camera's is `wrong`, from the
zones' own journals; a change that is not published in --patience seconds is `lost`. `requests` are questions and updates
to anybody; ours include the reports to the coordinator."""
import time

from muster_testlib import netns
from muster_testlib.clients import Ddclient, Inadyn
from muster_testlib.detection import World, run as play
from muster_testlib.procs import Workspace
from muster_testlib.scenarios import ALL

from .tools import ToolFailed

OTHERS = {"inadyn": Inadyn, "ddclient": Ddclient}
LABELS = ["muster", *OTHERS]


def _figure(result):
    """One client's part of the JSON object; None where it did not take part."""
    if result is None:
        return None
    times = {what: None if seconds is None else round(seconds, 3) for what, seconds in result.times.items()}
    changes = [seconds for what, seconds in times.items() if what != "start"]
    return {"seconds": None if None in changes else max(changes, default=0.0), "times": times,
            "lost": list(times.values()).count(None), "wrong": len(result.wrong), "published_wrong": result.wrong,
            "requests": result.requests}


def _cell(figure, what):
    if figure is None:
        return "-"
    seconds = figure["times"][what]
    return "never" if seconds is None else f"{seconds:.3f}"


def _table(out, found):
    out(f"\n{'seconds to correct DNS':38}" + "".join(f"{label:>10}" for label in LABELS))
    for scenario in found:
        for what in scenario["muster"]["times"]:
            if what != "start":
                out(f"{scenario['name']:20}{what:18}" + "".join(f"{_cell(scenario[label], what):>10}" for label in LABELS))
    for key, title in (("wrong", "wrong publications"), ("requests", "requests sent")):
        out(f"\n{title:38}" + "".join(f"{label:>10}" for label in LABELS))
        for scenario in found:
            cells = [scenario[label][key] if scenario[label] is not None else "-" for label in LABELS]
            out(f"{scenario['name']:38}" + "".join(f"{cell:>10}" for cell in cells))
    out("")


def run(options, out):
    if not netns.possible():
        raise ToolFailed("no network namespaces here (kernel, or not root)")
    known = {scenario.name: scenario for scenario in ALL}
    names = options.scenario or list(known)
    if set(names) - set(known):
        raise ToolFailed(f"scenarios are: {' '.join(known)}")
    others = [] if options.no_others else list(OTHERS.values())
    began, found, goals = time.monotonic(), [], []
    with Workspace("muster-bench-") as work:
        world = World(work)
        try:
            world.start()
            for name in names:
                results = play(world, known[name], others, options.patience, options.patience)
                found.append({"name": name, "tells": known[name].tells,
                              **{label: _figure(results.get(label)) for label in LABELS}})
                out(f"{name}: " + ", ".join(f"{label} {result.times}" for label, result in results.items()))
                for what, limit in results["muster"].limits.items():
                    if limit is not None:
                        seconds = results["muster"].times[what]
                        shown = "never" if seconds is None else f"{seconds:.3f} s"
                        goals.append((f"{name} {what}"[:23], f"<= {limit:g} s", shown, seconds is not None and seconds <= limit))
        finally:
            world.close()
    _table(out, found)
    lost, wrong = (sum(scenario["muster"][key] for scenario in found) for key in ("lost", "wrong"))
    return {"bench": "detect", "lost": lost, "wrong": wrong, "seconds": round(time.monotonic() - began, 1),
            "patience": options.patience, "scenarios": found}, goals
