# SPDX-License-Identifier: Apache-2.0
"""What the services document of one change request, and the least number of requests that follows from it; the rates that
they document, and the least time that follows: the tables that `calls` holds Muster against. Nothing here knows Muster's
providers or its meters. Pages read 2026-11-23."""
import ipaddress
import math


class Rate:
    """`units` in any `seconds`; with `burst` a bucket of so many, filled again with `units` each `seconds`. `of` is what is
    counted: every request ("calls"), "lookups", "writes", or what they change ("changes", one counts `weight`)."""

    def __init__(self, of, units, seconds, source, burst=0, weight=1):
        self.of, self.units, self.seconds, self.source, self.burst, self.weight = of, units, seconds, source, burst, weight

    def taken(self, requests):
        """By [(is a lookup, changes, ...)]."""
        if self.of == "changes":
            return self.weight * sum(changes for lookup, changes, *_ in requests if not lookup)
        return sum(self.of == "calls" or lookup == (self.of == "lookups") for lookup, *_ in requests)

    def least_s(self, requests):
        """The last of them goes no earlier after the first."""
        taken = self.taken(requests)
        if self.burst:
            return max(0, taken - self.burst) * self.seconds / self.units
        return max(0, taken - 1) // self.units * self.seconds

    def series(self):
        """As few requests as this rate holds up for `seconds`."""
        if self.of == "changes":
            return [(False, 1)] * math.ceil((self.burst + self.units) / self.weight)
        return [(self.of != "writes", 0 if self.of != "writes" else 1)] * (self.burst + self.units if self.burst else self.units + 1)

    @property
    def text(self):
        return f"{self.of}: {self.units:,} in {self.seconds:,} s" + (f", {self.burst:,} at once" if self.burst else "")


class Limit:
    """`changes` records a request; `characters` or `size` of all it carries, where `weigh(rtype, old, new)` is what one change
    of an address takes of it. `documented` is False where the vendor names no number: then `changes` is the size that Muster
    has chosen, and the minimum says only that no request went out with less in it than it could have."""

    def __init__(self, source, changes=None, total=None, weigh=None, overhead=0, documented=True):
        self.source, self.changes, self.documented = source, changes, documented
        self.total, self.weigh, self.overhead = total, weigh, overhead

    def minimum(self, rtype, pairs):
        """For changes from old to new addresses: no fewer requests can carry them."""
        least = math.ceil(len(pairs) / self.changes) if self.changes else 1
        if self.total:
            weight = sum(self.weigh(rtype, old, new) for old, new in pairs)
            least = max(least, math.ceil(weight / (self.total - self.overhead)))
        return least

    @property
    def text(self):
        parts = [f"{self.changes:,} changes"] if self.changes else []
        return " and ".join(parts + ([f"{self.total:,} characters or bytes"] if self.total else []))


def _dns_bytes(rtype, _old, _new):
    """RFC 2136 2.5: delete an RRset (name, 10 bytes), add one record (name, 10 bytes, address). The name of nNNNNNN below the
    zone is 10 bytes at first and a pointer of 2 afterwards (RFC 1035 4.1.4), which is the best that can be had."""
    return 10 + 10 + 2 + 10 + (4 if rtype == "A" else 16)


_CLOUDFLARE = "https://developers.cloudflare.com/fundamentals/api/reference/limits/"
_ROUTE53 = "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html"
_ARM = "https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling"
_AZURE_DNS = "https://github.com/MicrosoftDocs/azure-docs includes/dns-limits.md"
_DESEC = "https://desec.readthedocs.io/en/latest/rate-limits.html"

# One account, one zone, records that are there already. Google: a project's own quota of calls, which no page can tell.
# PowerDNS, RFC 2136: the operator's own server.
RATES = {
    # "Client API per user: 1200/5 minutes", "Client API per IP: 200/second"
    **dict.fromkeys(("cloudflare", "cloudflare-paid"),
                    (Rate("calls", 1200, 300, _CLOUDFLARE), Rate("calls", 200, 1, _CLOUDFLARE))),
    # all actions together: 50, and 10 a second; 100 record changes a second, an UPSERT counts two. How many of these may go
    # at once is not documented: no fewer than the largest request has
    "route53": (Rate("calls", 10, 1, _ROUTE53, burst=50), Rate("changes", 100, 1, _ROUTE53, burst=1000, weight=2)),
    # of a subscription 200 writes and 10 a second, 250 reads and 25 a second; of Microsoft.Network 1,000 writes in five
    # minutes; of a zone 200 updates a minute
    "azure": (Rate("writes", 10, 1, _ARM, burst=200), Rate("lookups", 25, 1, _ARM, burst=250),
              Rate("writes", 1000, 300, _ARM), Rate("writes", 200, 60, _AZURE_DNS)),
    # dns_api_per_domain_expensive, dns_api_cheap, user; "enforced in a sliding-window fashion", all at the same time
    "desec": (*(Rate("writes", units, seconds, _DESEC) for units, seconds in ((2, 1), (15, 60), (100, 3600), (300, 86400))),
              Rate("lookups", 10, 1, _DESEC), Rate("lookups", 50, 60, _DESEC), Rate("calls", 2000, 86400, _DESEC)),
}


def least_s(name, requests):
    """The documented rates of a service let these requests go in no less time."""
    return max((rate.least_s(requests) for rate in RATES.get(name, ())), default=0)


LIMITS = {
    # "up to 200 records" for Free, "up to 3,500" for paid plans; a change of an address is one record
    "cloudflare": Limit("https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/", 200),
    "cloudflare-paid": Limit("https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/", 3500),
    # 1,000 ResourceRecord elements and 32,000 characters of Value; with UPSERT each counts twice
    "route53": Limit("https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html", 500, 32000,
                     lambda _rtype, _old, new: 2 * len(new)),
    # 1,000 additions and 1,000 deletions, 100,000 bytes of rrdata; a change deletes the old record set and adds the new one
    "google": Limit("https://cloud.google.com/dns/quotas", 1000, 100000, lambda _rtype, old, new: len(old) + len(new)),
    # one record set a request
    "azure": Limit("https://learn.microsoft.com/en-us/rest/api/dns/record-sets/create-or-update", 1),
    # "Bulk Operations" name no number of RRsets
    "desec": Limit("https://desec.readthedocs.io/en/latest/dns/rrsets.html", 1000, documented=False),
    # "PATCH /servers/{server_id}/zones/{zone_id}" names no number of RRsets; webserver-max-bodysize is 2 MB
    "powerdns": Limit("https://doc.powerdns.com/authoritative/http-api/zone.html", 1000, documented=False),
    # RFC 1035 4.2.2: two bytes of length. 12 bytes of header, zone section, TSIG with HMAC-SHA256
    "knot": Limit("https://www.rfc-editor.org/rfc/rfc2136", None, 65535, _dns_bytes, 12 + 17 + 100),
    "bind": Limit("https://www.rfc-editor.org/rfc/rfc2136", None, 65535, _dns_bytes, 12 + 17 + 100),
}


def address(rtype, number):
    """What the command `bulk` of muster-probe makes of a number (tests/contract/probe.c)."""
    if rtype == "A":
        return str(ipaddress.IPv4Address(number))
    host = number * 0x9E3779B97F4A7C15 & (1 << 64) - 1
    return str(ipaddress.IPv6Address(0x20010DB8 << 96 | number << 64 | host))
