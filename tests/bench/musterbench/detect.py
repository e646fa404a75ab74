# SPDX-License-Identifier: Apache-2.0
"""detect: changes of the network, in namespaces (tests/lib/muster_testlib/scenarios.py), and how long the name of a camera
is wrong after each: with muster-agent, and with inadyn and ddclient on the same camera at the same time.

The others ask an HTTP echo and update by dyndns2, both one hop away and named by address, as often as they can be told to
(30 and 60 s; their defaults are 120 and 300 s). The first change comes soon after they have started, so that nearly a whole
period is ahead of them. They keep one family: IPv4, or IPv6 in the scenarios of that, where a command tells them the address. An address
that one of them, or we, publish and that is not the camera's is `wrong`, from the zones' own journals; a change that is not
published in --patience seconds is `lost`. `requests` are questions and updates to anybody else, in the same time; ours
include the reports to the coordinator. A client that ended by itself is `ended`; a scenario that could not be played has
an `error`."""
import time

from muster_testlib import netns
from muster_testlib.clients import Ddclient, Inadyn
from muster_testlib.detection import World, run as play
from muster_testlib.procs import Workspace
from muster_testlib.scenarios import ALL

from .tools import ToolFailed

OTHERS = {"inadyn": Inadyn, "ddclient": Ddclient}
OURS = "muster"
LABELS = [OURS, *OTHERS]


def _figure(result):
    """One client's part of the JSON object; None where it did not take part."""
    if result is None:
        return None
    times = {what: None if seconds is None else round(seconds, 3) for what, seconds in result.times.items()}
    changes = [seconds for what, seconds in times.items() if what != "start"]
    return {"seconds": None if None in changes else max(changes, default=0.0), "times": times,
            "lost": list(times.values()).count(None), "wrong": len(result.wrong), "published_wrong": result.wrong,
            "requests": result.requests, "ended": result.ended}


def _figures(scenario):
    return {OURS: scenario["ours"], **scenario["peers"]}


def _time(figure, what):
    if figure is None:
        return "-"
    seconds = figure["times"][what]
    return "never" if seconds is None else f"{seconds:.3f}"


def _joined(figures, key):
    return " / ".join("-" if figure is None else str(figure[key]) for figure in figures)


def table(found):
    """The scenarios side by side, as lines of Markdown; wrong and requests are of the whole scenario, in the order of the
    clients."""
    yield f"| Scenario | Change | {' | '.join(LABELS)} | wrong | requests |"
    yield "|---|---|" + "---|" * (len(LABELS) + 2)
    for scenario in found:
        figures = [_figures(scenario)[label] for label in LABELS]
        rest = [_joined(figures, "wrong"), _joined(figures, "requests")]
        for what in scenario["ours"]["times"]:
            if what != "start":
                cells = [scenario["scenario"], what, *(_time(figure, what) for figure in figures), *rest]
                yield f"| {' | '.join(cells)} |"
                rest = ["", ""]


def _play(world, scenario, others, patience, out):
    """(the scenario's part of the JSON object, its goals)"""
    head = {"scenario": scenario.name, "tells": scenario.tells}
    try:
        results = play(world, scenario, others, patience, patience)
    except (AssertionError, RuntimeError) as error:  # of one scenario; the others' figures are good all the same
        out(f"{scenario.name}: {error}")
        return {**head, "ours": None, "peers": {}, "error": str(error)[:500]}, [(scenario.name[:23], "played", "failed", False)]
    goals = []
    for what, limit in results[OURS].limits.items():
        seconds = results[OURS].times[what]
        if limit is not None:
            goals.append((f"{scenario.name} {what}"[:23], f"<= {limit:g} s", "never" if seconds is None else f"{seconds:.3f} s",
                          seconds is not None and seconds <= limit))
    for label, result in results.items():
        out(f"{scenario.name:20} {label:9}" + "".join(f" {what}: {_time(_figure(result), what)}" for what in result.times)
            + f"  wrong: {' '.join(result.wrong) or 0}  requests: {result.requests}" + ("  ended" if result.ended else ""))
    return {**head, "ours": _figure(results[OURS]), "peers": {label: _figure(results.get(label)) for label in OTHERS}}, goals


def run(options, out):
    if not netns.possible():
        raise ToolFailed("no network namespaces here (kernel, or not root)")
    known = {scenario.name: scenario for scenario in ALL if scenario.playable()}
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
                scenario, more = _play(world, known[name], others, options.patience, out)
                found.append(scenario)
                goals += more
        finally:
            world.close()
    played = [scenario for scenario in found if scenario["ours"] is not None]
    out("\n".join(["", "Seconds to the correct DNS; wrong publications; requests sent.", *table(played), ""]))
    lost, wrong = (sum(scenario["ours"][key] for scenario in played) for key in ("lost", "wrong"))
    return {"bench": "detect", "lost": lost + len(found) - len(played), "wrong": wrong,
            "seconds": round(time.monotonic() - began, 1), "patience": options.patience, "scenarios": found}, goals
