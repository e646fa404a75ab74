# SPDX-License-Identifier: Apache-2.0
"""What the integration tests, the fault tests and the quickstart share: real servers on loopback, nothing faked.

Debian packages only (python3, python3-dnspython, openssl, mosquitto, knot, bind9). Every object cleans up after itself;
nothing sleeps to wait for something: conditions are polled with a deadline.
"""
import os
import pathlib


def source_dir():
    """The checkout: MUSTER_SOURCE_DIR, else the folder two above this package."""
    return pathlib.Path(os.environ.get("MUSTER_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[3])


def build_dir():
    """The build tree under test, absolute: MUSTER_BUILD_DIR, else build/dev of the checkout."""
    return pathlib.Path(os.environ.get("MUSTER_BUILD_DIR") or source_dir() / "build" / "dev").resolve()
