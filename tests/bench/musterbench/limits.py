# SPDX-License-Identifier: Apache-2.0
"""What the services document of one change request, and the least number of requests that follows from it: the one table
that `calls` holds Muster against. Nothing here knows Muster's providers. Pages read 2026-11-23."""
import ipaddress
import math


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
