# SPDX-License-Identifier: Apache-2.0
"""Strict stand-ins for the services that Muster updates, written from the vendors' documentation by people who did not see
Muster's own code for them. base.Fake is one service, server.Server serves many over HTTPS, zones.Zones makes what they
accept visible in real zones. A fake keeps the service's state, checks every field of a request and notes in `violations`
what the vendor would refuse or forbids. all_fakes() makes one of each."""
import importlib
import pkgutil


def classes():
    """{provider name: class} of every fake in the modules of this package."""
    from .base import Fake
    found = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            own = isinstance(value, type) and value.__module__ == f"{__name__}.{module.name}"
            if own and issubclass(value, Fake) and value.name:
                if found.setdefault(value.name, value) is not value:
                    raise ValueError(f"two fakes are named {value.name}")
    return dict(sorted(found.items()))


def all_fakes():
    return {name: kind() for name, kind in classes().items()}
