# SPDX-License-Identifier: Apache-2.0
"""The source tree as the lint tests see it: which files there are, which rooms, what each room may include."""
import os
import re

SKIPPED = {"build", "node_modules", "__pycache__", "dist"}
ROOMS_FILE = "CMakeLists.txt"


def files(root, suffixes):
    """Paths below root, relative, with one of the suffixes; without build trees and hidden folders."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("."))
        for name in sorted(names):
            if name.endswith(tuple(suffixes)):
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as handle:
        return handle.read()


def rooms(root):
    """Room name -> the set of rooms it may include besides itself, from each room's muster_room(... ROOMS ...)."""
    found = {}
    for name in sorted(os.listdir(root)):
        path = os.path.join(name, ROOMS_FILE)
        if not os.path.isfile(os.path.join(root, path)):
            continue
        text = re.sub(r"#.*", "", read(root, path))
        for body in re.findall(r"muster_room\(([^)]*)\)", text):
            words = body.split()
            values = {}
            keyword = None
            for word in words:
                if word in ("NAME", "SOURCES", "ROOMS", "LIBS"):
                    keyword = word
                    values[keyword] = []
                elif keyword:
                    values[keyword].append(word)
            found[values["NAME"][0]] = set(values.get("ROOMS", []))
    return found


def includes(text):
    """(line number, "quote" or "angle", path) of every include line."""
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
        if match:
            yield number, "quote" if match.group(1) else "angle", match.group(1) or match.group(2)


def without_comments_and_strings(text):
    """C text with comments, strings and characters blanked, line numbers kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
