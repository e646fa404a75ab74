# SPDX-License-Identifier: Apache-2.0
"""Amazon Route 53's API 2013-04-01. Sources, read 2026-11-23:
  docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html, API_GetChange, API_ListHostedZonesByName,
    API_ListResourceRecordSets, and the vendor's service model (elements, order, lengths, pages of 300 and 100)
  .../DeveloperGuide/DNSLimitations.html (1,000 ResourceRecord elements, 32,000 characters of Value, UPSERT twice; 10,000 record
    sets a zone; PriorRequestNotComplete)
  .../DeveloperGuide/throttling-api-requests.html (a bucket of 50 requests, 10 a second; 100 record changes a second, an UPSERT is
    two. The size of the second bucket is beyond what could be read: it holds the largest request here)
Errors come in two forms: ErrorResponse, and InvalidChangeBatch with one Message for every bad change; both are seen for a single
bad change, `single` says which one is sent. Signatures are judged by the vendor's own signer (sigv4.py)."""
import bisect
import contextlib
import datetime
import ipaddress
import subprocess
import time
import xml.etree.ElementTree as xml
from xml.sax.saxutils import escape

from . import sigv4
from .base import Fake, Held, Response, below, is_name
from .tables import Bucket, Refused, Table

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
TYPES = ("SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS")
# Elements of a ResourceRecordSet in the order of the schema.
ELEMENTS = ("Name", "Type", "SetIdentifier", "Weight", "Region", "GeoLocation", "Failover", "MultiValueAnswer", "TTL",
            "ResourceRecords", "AliasTarget", "HealthCheckId", "TrafficPolicyInstanceId")
RECORDS, CHARACTERS = 1000, 32000


def document(root, body):
    return Response(200, f'<?xml version="1.0"?>\n<{root} xmlns="{NAMESPACE}">{body}</{root}>', content_type="text/xml")


def element(name, value):
    return f"<{name}>{escape(str(value))}</{name}>"


def reversed_labels(name):
    """The order of lists: labels reversed, with the last dot."""
    return ".".join(reversed(name.split("."))) + "."


class Route53(Fake):
    name, service, hosts = "route53", "Route 53", ("route53.amazonaws.com",)
    source, read = "https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html", "2026-11-23"
    state, takes_ttl = ("records", "pending"), True

    def __init__(self):
        super().__init__()
        self.records, self.pending = Table(), Table()  # pending: {change id: when it is in sync}
        self.zone_id = "Z" + self.secret("zone", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 20)
        self.key = "AKIA" + self.secret("key", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
        self.secret_key = self.secret("secret", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", 40)
        self.token = ""  # of temporary credentials
        self.wall = time.time  # for signatures
        self.max_sets = 10000  # record sets of a zone; None: the customer asked for more
        self.propagation = 1.0  # seconds from PENDING to INSYNC
        self.processing = 0.0  # seconds in which the zone takes no further change
        self.private_twin = False  # a private hosted zone of the same name, listed first
        self.single = "messages"  # form of an error about one change: "messages" or "plain"
        self.requests_left, self.changes_left = Bucket(50, 10), Bucket(RECORDS, 100)
        self.retry_after = None  # the vendor does not say how long
        self.changed_at, self.held, self.made = None, None, 0  # held: the last change, where its answer waits

    def account(self, hosts=()):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):  # told by the first request
            sigv4.Signer.get()  # now, not while a client's clock runs
        key = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret_key}
        return {"key": {**key, "aws_session_token": self.token} if self.token else key}

    def is_lookup(self, request):
        return request.method == "GET"

    def denied(self, request):
        return self.error("InvalidClientTokenId", "The security token included in the request is invalid.", 403)

    def limited(self, request):
        return self.error("Throttling", "Rate exceeded")

    def prior(self):
        """For a script: the zone is still busy."""
        return self.error("PriorRequestNotComplete",
                          "The request was rejected because Route 53 was still processing a prior request.")

    def outage(self, request, status):
        return self.error("InternalFailure" if status == 500 else "ServiceUnavailable",
                          "We encountered an internal error. Please try again.", status, "Receiver")

    def error(self, code, message, status=400, kind="Sender"):
        text = (f'<?xml version="1.0"?>\n<ErrorResponse xmlns="{NAMESPACE}"><Error>{element("Type", kind)}{element("Code", code)}'
                f"{element('Message', message)}</Error>{self._id()}</ErrorResponse>")
        return Response(status, text, content_type="text/xml")

    def _id(self):
        self.made += 1
        return element("RequestId", f"b25f48e8-84fd-11e6-80d9-{self.made:012x}")

    def enlarge(self):
        """The customer asked for more record sets in a zone."""
        self.max_sets = None

    def renumber(self):
        """The zone was made anew: its id is another one."""
        self.zone_id = "Z" + self.zone_id[:0:-1]

    # ---- the API ----

    def serve(self, request):
        answer = super().serve(request)
        if not self.is_lookup(request):
            self.held = answer[1] if isinstance(answer[1], Held) else None
        return answer

    def handle(self, request):
        try:
            self._admit(request)
            return self._route(request)
        except Refused as refusal:
            return refusal.response

    def _refuse(self, code, message, status=400, rule=None):
        if rule:
            self.violate(rule, f"{code}: {message}")
        raise Refused(self.error(code, message, status))

    def _invalid(self, message, rule="schema"):
        self._refuse("InvalidInput", message, rule=rule)

    def _admit(self, request):
        if self.limits_hold and self.requests_left.take(1, self.clock()):
            self.violate("rate", "more than 10 requests a second")
            raise Refused(self.limited(request))
        fault = sigv4.judge(request, self.key, self.secret_key, self.token, "us-east-1", "route53", self.wall())
        if fault:
            self._refuse(*fault, status=400 if fault[0] == "IncompleteSignature" else 403, rule="signature")

    def _route(self, request):
        parts = request.segments
        if parts and parts[-1] == "" and request.method == "POST":
            parts = parts[:-1]  # the documented form of the change request ends in a slash
        if parts[:1] != ["2013-04-01"] or "" in parts:
            self._refuse("UnknownOperationException", request.path, 404, "path")
        action = {("GET", "hostedzonesbyname", 2): self._zones, ("GET", "change", 3): self._change,
                  ("GET", "hostedzone", 4): self._list, ("POST", "hostedzone", 4): self._changes}.get((request.method,
                                                                                                       *parts[1:2],
                                                                                                       len(parts)))
        if action is None or len(parts) == 4 and parts[3] != "rrset":
            self._refuse("UnknownOperationException", f"{request.method} {request.path}", 404, "path")
        if len(parts) == 4 and parts[2] != self.zone_id:
            self._refuse("NoSuchHostedZone", f"No hosted zone found with ID: {parts[2]}", 404)
        return action(request)

    def _most(self, request, most):
        text = request.get("maxitems", str(most))
        if not text.isdigit() or not 1 <= int(text):
            self._invalid(f"Invalid maxitems: {text}", "query")
        return min(int(text), most)

    def _zones(self, request):
        """From `dnsname` on, so the first zone may be another one."""
        self.fields(request.query, (), ("dnsname", "hostedzoneid", "maxitems"))
        most, first = self._most(request, 100), request.get("dnsname", "")
        if first and not is_name(first.rstrip("."), 1):
            self._refuse("InvalidDomainName", f"{first} is not a valid domain name", rule="query")
        start = reversed_labels(first.rstrip(".").lower()) if first else ""
        every = [("a-neighbour.example", "ZNEIGHBOURA"), (self.zone, self.zone_id), (f"z-{self.zone}", "ZNEIGHBOURZ")]
        if self.private_twin:
            every.append((self.zone, "Z00000000PRIVATE"))
        found = sorted((zone for zone in every if reversed_labels(zone[0]) >= start),
                       key=lambda zone: (reversed_labels(zone[0]), zone[1]))
        count = element("ResourceRecordSetCount", len(self.records) + 2)
        body = "".join(f"<HostedZone>{element('Id', '/hostedzone/' + key)}{element('Name', zone + '.')}"
                       f"{element('CallerReference', key)}<Config><Comment/>"
                       f"{element('PrivateZone', str(key == 'Z00000000PRIVATE').lower())}</Config>{count}</HostedZone>"
                       for zone, key in found[:most])
        more = len(found) > most
        after = element("NextDNSName", found[most][0] + ".") + element("NextHostedZoneId", found[most][1]) if more else ""
        return document("ListHostedZonesByNameResponse",
                        f"<HostedZones>{body}</HostedZones>{element('DNSName', first) if first else ''}"
                        f"{element('IsTruncated', str(more).lower())}{after}{element('MaxItems', most)}")

    def _change(self, request):
        self.fields(request.query, ())
        key = request.segments[2]
        if key not in self.pending:
            self._refuse("NoSuchChange", f"A change with the specified change ID does not exist: {key}", 404,
                         "change-id")
        return document("GetChangeResponse", self._info(key))

    def _info(self, key):
        status = "PENDING" if self.clock() < self.pending[key] else "INSYNC"
        stamp = datetime.datetime.fromtimestamp(self.wall(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return f"<ChangeInfo>{element('Id', '/change/' + key)}{element('Status', status)}{element('SubmittedAt', stamp)}</ChangeInfo>"

    def _list(self, request):
        self.fields(request.query, (), ("name", "type", "identifier", "maxitems"))
        most, name, rtype = self._most(request, 300), request.get("name"), request.get("type")
        if rtype is not None and (name is None or rtype not in TYPES):
            self._invalid("type without a name or unknown", "query")
        keys = sorted((reversed_labels(key[0]), key[1], key[0]) for key in self._everything())
        start = bisect.bisect_left(keys, (reversed_labels(name.rstrip(".").lower()), rtype or "", "")) if name else 0
        body = "".join(self._set(key, kind) for _, kind, key in keys[start:start + most])
        after = ""
        if start + most < len(keys):
            _, kind, key = keys[start + most]
            after = f"{element('NextRecordName', key + '.')}{element('NextRecordType', kind)}"
        return document("ListResourceRecordSetsResponse", f"<ResourceRecordSets>{body}</ResourceRecordSets>"
                        f"{element('IsTruncated', str(bool(after)).lower())}{after}{element('MaxItems', most)}")

    def _everything(self):
        return [*self.records, (self.zone, "NS"), (self.zone, "SOA")]

    def _set(self, name, rtype):
        own = {"NS": (172800, ["ns-1.awsdns-01.com.", "ns-2.awsdns-02.net."]), "SOA": (900, [
            "ns-1.awsdns-01.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"])}
        ttl, values = self.records.get((name, rtype)) or own[rtype]
        inner = "".join(f"<ResourceRecord>{element('Value', value)}</ResourceRecord>" for value in values)
        shown = name.replace("*", "\\052") + "."
        return (f"<ResourceRecordSet>{element('Name', shown)}{element('Type', rtype)}{element('TTL', ttl)}"
                f"<ResourceRecords>{inner}</ResourceRecords></ResourceRecordSet>")

    # ---- changes ----

    def _changes(self, request):
        self.fields(request.query, ())
        changes = self._parse(request)
        cost = sum(2 if action == "UPSERT" else 1 for action, *_ in changes)
        now = self.clock()
        if self.limits_hold and self.changes_left.take(min(cost, self.changes_left.size), now):
            self.violate("rate", "more than 100 record changes a second")
            raise Refused(self.limited(request))
        waiting = self.held is not None and not self.held.released.is_set()
        if waiting or self.changed_at is not None and now < self.changed_at + self.processing:
            self.violate("serial", "a change while the last one was not complete")
            raise Refused(self.prior())
        faults, after = self._apply(changes)
        if faults:
            raise Refused(self._faults(faults))
        for key in dict.fromkeys((name, rtype) for _, name, rtype, _, _ in changes):
            ttl, values = after.get(key, (0, []))
            self.put(*key, values, ttl)
        self.changed_at = now
        key = f"C{len(self.pending):06X}{self.secret('change', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 14)}"
        self.pending[key] = now + self.propagation
        return document("ChangeResourceRecordSetsResponse", self._info(key))

    def _faults(self, faults):
        if len(faults) == 1 and self.single == "plain":
            return self.error("InvalidChangeBatch", faults[0])
        messages = "".join(element("Message", fault) for fault in faults)
        return Response(400,
                        f'<?xml version="1.0" encoding="UTF-8"?>\n<InvalidChangeBatch xmlns="{NAMESPACE}">\n  <Messages>{messages}'
                        f"</Messages>\n  {self._id()}\n</InvalidChangeBatch>", content_type="text/xml")

    def _children(self, node, names, least=()):
        """Children by name; InvalidInput where they are not exactly these, in this order, each once."""
        found, last = {}, -1
        for child in node:
            name = child.tag.removeprefix("{" + NAMESPACE + "}")
            place = names.index(name) if name in names and child.tag != name else -1
            if place <= last:
                self._invalid(f"Invalid XML ; cvc-complex-type.2.4.a: Invalid content was found starting with element '{name}'.")
            found[name], last = child, place
        missing = [name for name in least if name not in found]
        if missing or (node.text or "").strip():
            self._invalid(f"Invalid XML ; cvc-complex-type.2.4.b: The content of element '{node.tag}' is not complete: {missing}")
        return found

    def _parse(self, request):
        """[(action, name, type, TTL, [values])]"""
        if request.content_type not in ("application/xml", "text/xml"):
            self.violate("content-type", request.content_type)
        try:
            if b"<!" in request.body:
                raise xml.ParseError("a declaration")
            root = xml.fromstring(request.body)
        except xml.ParseError as fault:
            self._invalid(f"Invalid XML ; {fault}")
        if root.tag != f"{{{NAMESPACE}}}ChangeResourceRecordSetsRequest":
            self._invalid(f"Invalid XML ; cvc-elt.1: Cannot find the declaration of element '{root.tag}'.")
        batch = self._children(self._children(root, ("ChangeBatch",), ("ChangeBatch",))["ChangeBatch"],
                               ("Comment", "Changes"), ("Changes",))
        if len((batch["Comment"].text if "Comment" in batch else None) or "") > 256:
            self._invalid("Comment is longer than 256 characters")
        changes = [self._one(node) for node in batch["Changes"]]
        if not changes:
            self._invalid("Invalid XML ; cvc-complex-type.2.4.b: The content of element 'Changes' is not complete.")
        return changes

    def _one(self, node):
        if node.tag != f"{{{NAMESPACE}}}Change":
            self._invalid(f"Invalid XML ; cvc-complex-type.2.4.a: Invalid content was found starting with element '{node.tag}'.")
        change = self._children(node, ("Action", "ResourceRecordSet"), ("Action", "ResourceRecordSet"))
        action = change["Action"].text
        if action not in ("CREATE", "DELETE", "UPSERT"):
            self._invalid(f"Invalid XML ; cvc-enumeration-valid: Value '{action}' is not facet-valid")
        parts = self._children(change["ResourceRecordSet"], ELEMENTS, ("Name", "Type"))
        if set(parts) - {"Name", "Type", "TTL", "ResourceRecords"}:
            self._invalid(f"not simple record sets are not simulated: {sorted(parts)}", "not-simulated")
        if not {"TTL", "ResourceRecords"} <= set(parts):
            self._invalid("Invalid request: Missing field 'TTL' or 'ResourceRecords' in Change")
        name, rtype, ttl = (parts["Name"].text or ""), parts["Type"].text, parts["TTL"].text or ""
        if rtype not in TYPES or not ttl.isdigit() or int(ttl) > 2147483647 or not 0 < len(name) <= 1024:
            self._invalid(f"Invalid XML ; Name {name!r}, Type {rtype!r}, TTL {ttl!r}")
        values = []
        for record in parts["ResourceRecords"]:
            if record.tag != f"{{{NAMESPACE}}}ResourceRecord":
                self._invalid(f"Invalid XML ; Invalid content was found starting with element '{record.tag}'.")
            values.append(self._children(record, ("Value",), ("Value",))["Value"].text or "")
        if not values or any(len(value) > 4000 for value in values):
            self._invalid("Invalid XML ; ResourceRecords is empty, or a Value longer than 4000 characters")
        return action, name.rstrip(".").lower().replace("\\052", "*"), rtype, int(ttl), values

    def _apply(self, changes):
        """(messages, record sets after the changes); any message and nothing is applied."""
        after, faults, seen = dict(self.records), self._limits(changes), {}
        for action, name, rtype, ttl, values in changes:
            key, before = (name, rtype), seen.setdefault((name, rtype), [])
            before.append(action)
            if len(before) > 1 and before != ["DELETE", "CREATE"]:
                self.violate("twice", f"{before} {name} {rtype}")
                faults.append(f"The request contains an invalid set of changes for a resource record set '{rtype} {name}.'")
                continue
            fault = self._bad(name, rtype, values) or self._clash(after, action, key, (ttl, sorted(values)))
            if fault:
                faults.append(fault)
            elif action == "DELETE":
                del after[key]
            else:
                after[key] = (ttl, sorted(values))
        faults += self._neighbours(after, seen)
        if self.max_sets is not None and len(after) + 2 > max(self.max_sets, len(self.records) + 2):
            faults.append(f"This request would exceed the limit of {self.max_sets} resource record sets of the hosted zone")
        return faults, after

    def _limits(self, changes):
        times = [(2 if action == "UPSERT" else 1, values) for action, _, _, _, values in changes]
        faults = []
        if sum(factor * len(values) for factor, values in times) > RECORDS:
            faults.append(f"Number of records limit of {RECORDS} exceeded.")
        if sum(factor * len(value) for factor, values in times for value in values) > CHARACTERS:
            faults.append(f"RDATA character limit of {CHARACTERS} exceeded.")
        for fault in faults:
            self.violate("batch-size", fault)
        return faults

    def _bad(self, name, rtype, values):
        if name in self.bad:
            return f"Invalid Resource Record: FATAL problem: DomainLabelTooLong encountered at '{name}.'"
        if not below(name, self.zone):
            self.violate("name", name)
            return f"RRSet with DNS name {name}. is not permitted in zone {self.zone}."
        if not is_name(name):
            self.violate("name", name)
            return f"FATAL problem: InvalidCharacterString (Invalid characters) encountered with '{name}'"
        if len(values) > 100:
            return "Cannot have more than 100 records in a RRSet."
        if len(set(values)) != len(values):
            self.violate("value", values)
            return f"Duplicate Resource Record: '{values[0]}'"
        for value in values if rtype in ("A", "AAAA") else ():
            try:
                if "%" in value or ipaddress.ip_address(value).version != (4 if rtype == "A" else 6):
                    raise ValueError(value)
            except ValueError:
                self.violate("value", value)
                kind = "ARRDATAIllegalIPv4Address" if rtype == "A" else "AAAARRDATAIllegalIPv6Address"
                return f"Invalid Resource Record: 'FATAL problem: {kind} encountered with '{value}''"
        return None

    @staticmethod
    def _clash(after, action, key, entry):
        shown = f"[name='{key[0]}.', type='{key[1]}']"
        if action == "CREATE" and key in after:
            return f"Tried to create resource record set {shown} but it already exists"
        if action == "DELETE" and key not in after:
            return f"Tried to delete resource record set {shown} but it was not found"
        if action == "DELETE" and after[key] != entry:
            return f"Tried to delete resource record set {shown} but the values provided do not match the current values"
        return None

    def _neighbours(self, after, touched):
        faults = []
        for name, rtype in touched:
            if (name, rtype) in after and rtype != "CNAME" and (name, "CNAME") in after:
                faults.append(f"RRSet of type {rtype} with DNS name {name}. is not permitted because a conflicting RRSet of type  CNAME "
                              f"with the same DNS name already exists in zone {self.zone}.")
        return faults
