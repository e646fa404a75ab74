# SPDX-License-Identifier: Apache-2.0
"""Azure DNS by Azure Resource Manager, with the two ways to a token. Sources, read 2026-11-23:
  learn.microsoft.com/rest/api/dns/record-sets/ and the vendor's specification dnsZones 2018-05-01 (paths, fields, 200/201/204;
    record-sets/update: PATCH, by whose example what is not named stays as it is)
  .../azure/dns/dns-zones-records (Etags: If-Match, If-None-Match, 412)
  .../azure/azure-resource-manager/management/ and its dns-limits (10,000 record sets a zone, 20 records a set; per zone and minute
    200 creates, 200 updates, 200 deletes, 2,000 gets, 60 lists; writes 200 + 10/s, deletes 200 + 10/s, reads 250 + 25/s; 429)
  .../entra/identity-platform/v2-oauth2-client-creds-grant-flow (client credentials, AADSTS codes)
  .../entra/identity/managed-identities-azure-resources/how-to-use-vm-token (169.254.169.254 by plain HTTP, Metadata: true)
Errors of Resource Manager have an envelope {"error": {...}}, those of the DNS provider are seen without one."""
import ipaddress
import math
import re
import time
import urllib.parse

from .base import Fake, Response, Window, is_name
from .tables import EARLY, Bucket, Refused, Table, is_integer

TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")
MEMBERS = {"A": ("ARecords", "ipv4Address"), "AAAA": ("AAAARecords", "ipv6Address")}
VERSIONS = ("2015-05-04-preview", "2016-04-01", "2017-09-01", "2017-10-01", "2018-03-01-preview", "2018-05-01",
            "2023-07-01-preview")
RESOURCE = "https://management.azure.com"
LOGIN, METADATA, MANAGEMENT = "login.microsoftonline.com", "169.254.169.254", "management.azure.com"
PER_MINUTE = {"create": 200, "update": 200, "delete": 200, "get": 2000, "list": 60}
BUCKETS = {"write": (200, 10), "delete": (200, 10), "read": (250, 25)}


class Azure(Fake):
    name, service, hosts = "azure", "Azure DNS", (MANAGEMENT, LOGIN, METADATA)
    source, read = "https://learn.microsoft.com/en-us/rest/api/dns/record-sets/create-or-update", "2026-11-23"
    state, takes_ttl = ("records", "etags", "tokens", "metadata"), True

    def __init__(self):
        super().__init__()
        self.records, self.etags, self.tokens, self.metadata = Table(), Table(), Table(), Table()
        self.tenant, self.client, self.subscription = (self._guid(what) for what in ("tenant", "client",
                                                                                     "subscription"))
        self.group, self.client_secret = "fleet-rg", self.secret("secret", length=32) + "~.&+=%"
        self.max_sets, self.page, self.made = 10000, 100, 0
        self.identities = []  # client ids of user-assigned identities; empty: the machine has one of its own
        self.wall = time.time  # for tokens
        self.windows = {what: Window(count, 60 - EARLY) for what, count in PER_MINUTE.items()}
        self.buckets = {what: Bucket(*shape) for what, shape in BUCKETS.items()}

    def _guid(self, what):
        text = self.secret(what, "0123456789abcdef", 32)
        return "-".join((text[:8], text[8:12], "4" + text[13:16], "a" + text[17:20], text[20:]))

    def account(self, hosts=()):
        """`key` as `az ad sp create-for-rbac --json-auth` prints it."""
        return {"options": {"resource_group": self.group},
                "key": {"clientId": self.client, "clientSecret": self.client_secret, "subscriptionId": self.subscription,
                        "tenantId": self.tenant, "activeDirectoryEndpointUrl": f"https://{LOGIN}",
                        "resourceManagerEndpointUrl": f"{RESOURCE}/"}}

    def is_lookup(self, request):
        return request.method == "GET" or request.host == LOGIN

    # ---- for the suite ----

    def revoke(self):
        """No token that was given out is good any more; a client cannot know."""
        self.tokens = Table({token: 0 for token in self.tokens})

    def enlarge(self):
        """The customer asked for more record sets in a zone."""
        self.max_sets = 1000000

    def put(self, name, rtype, values, ttl=None):
        changed, key = super().put(name, rtype, values, ttl), (name.lower().rstrip("."), rtype)
        if key not in self.records:
            self.etags.pop(key, None)
        elif changed or key not in self.etags:
            self.touch(*key)
        return changed

    def note(self, name, rtype, text):
        self.metadata[(name, rtype)] = {"note": text}
        return True

    def noted(self, name, rtype):
        return self.metadata.get((name, rtype), {}).get("note")

    def touch(self, name, rtype):
        """Somebody wrote the record set: a new Etag, whatever the values."""
        self.made += 1
        self.etags[(name, rtype)] = self._guid(f"etag {self.made}")

    @staticmethod
    def enveloped(status, code, message):
        return Response(status, {"error": {"code": code, "message": message}})

    def denied(self, request):
        if request.host == LOGIN:
            return self._entra(401, "invalid_client", 7000215,
                               "Invalid client secret provided. Ensure the secret being sent in the request is the "
                               f"client secret value, not the client secret ID, for a secret added to app '{self.client}'.")
        if request.host == METADATA:
            return Response(400, {"error": "invalid_request", "error_description": "Identity not found"})
        refusal = self.enveloped(401, "InvalidAuthenticationToken", "The access token is invalid.")
        refusal.headers.append(("WWW-Authenticate",
                                f'Bearer authorization_uri="https://{LOGIN}/{self.tenant}", error="invalid_token"'))
        return refusal

    def limited(self, request):
        return self.enveloped(429, "SubscriptionRequestsThrottled",
                              f"Number of requests for subscription '{self.subscription}' and operation "
                              f"'{request.method}' exceeded the backend storage limit. Please try again after some time.")

    def outage(self, request, status):
        return self.enveloped(status, "InternalServerError" if status == 500 else "ServiceUnavailable",
                              "Please try again.")

    def _entra(self, status, error, code, text):
        stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self.wall()))
        trace = self._guid("trace")
        return Response(status,
                        {"error": error,
                         "error_description": f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {trace} Timestamp: "
                         f"{stamp}", "error_codes": [code], "timestamp": stamp, "trace_id": trace,
                         "correlation_id": trace, "error_uri": f"https://{LOGIN}/error?code={code}"})

    # ---- the API ----

    def common(self, request):
        """As everywhere, but the metadata service of the machine is plain HTTP, and nothing else is."""
        self.plain_http = request.host == METADATA
        if request.secure and request.host == METADATA:
            self.violate("https", "the metadata service has no TLS")
        return super().common(request)

    def handle(self, request):
        try:
            if request.host == LOGIN:
                return self._login(request)
            if request.host == METADATA:
                return self._machine(request)
            self._admit(request)
            return self._route(request)
        except Refused as refusal:
            return refusal.response

    def _grant(self, seconds):
        token = f"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.{self.secret(f'token {len(self.tokens)}', length=400)}"
        self.tokens[token] = self.wall() + seconds
        return token

    def _login(self, request):
        def refuse(status, error, code, text):
            self.violate("token", text)
            raise Refused(self._entra(status, error, code, text))

        if request.method != "POST" or request.path != f"/{self.tenant}/oauth2/v2.0/token":
            if request.path.endswith("/oauth2/v2.0/token"):
                refuse(400, "invalid_request", 90002, f"Tenant '{request.segments[0]}' not found.")
            refuse(404, "invalid_request", 900144, f"{request.method} {request.path}")
        if request.content_type != "application/x-www-form-urlencoded":
            refuse(400, "invalid_request", 900144, "The request body must be form-urlencoded")
        if not self.fields(request.form, ("client_id", "scope", "client_secret", "grant_type")):
            refuse(400, "invalid_request", 900144,
                   "The request body must contain client_id, scope, client_secret and grant_type, each once.")
        form = dict(request.form)
        if form["grant_type"] != "client_credentials":
            refuse(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if form["scope"] not in (f"{RESOURCE}/.default", f"{RESOURCE}//.default"):
            refuse(400, "invalid_scope", 70011,
                   f"The provided value for the input parameter 'scope' is not valid: {form['scope']}")
        if form["client_id"] != self.client:
            refuse(400, "unauthorized_client", 700016,
                   f"Application with identifier '{form['client_id']}' was not found in the directory.")
        if form["client_secret"] != self.client_secret:
            self.violate("auth", "another client secret")
            raise Refused(self.denied(request))
        return Response(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599,
                              "access_token": self._grant(3599)})

    def _machine(self, request):
        def refuse(status, error, text):
            self.violate("metadata", text)
            raise Refused(Response(status, {"error": error, "error_description": text}))

        if request.headers.get("Metadata") != "true" or request.headers.get("X-Forwarded-For"):
            refuse(400, "bad_request_102", "Required metadata header not specified")
        if request.method != "GET" or request.path != "/metadata/identity/oauth2/token":
            refuse(404, "not_found", f"{request.method} {request.path}")
        if not self.fields(request.query, ("api-version", "resource"), ("client_id", "object_id", "msi_res_id")):
            refuse(400, "invalid_request", "parameters that are missing, unknown or there twice")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d",
                            request.get("api-version")) or request.get("api-version") < "2018-02-01":
            refuse(400, "invalid_request", f"api-version {request.get('api-version')}")
        if request.get("resource") not in (RESOURCE, RESOURCE + "/"):
            refuse(400, "invalid_resource",
                   f"AADSTS500011: The resource principal named {request.get('resource')} was not found")
        if request.get("client_id") not in (self.identities or [None]):
            refuse(400, "invalid_request", "Identity not found" if request.get("client_id")
                   else "Multiple user assigned identities exist")
        now = int(self.wall())
        return Response(200, {"access_token": self._grant(86399), "client_id": self.client, "expires_in": "86399",
                              "expires_on": str(now + 86399), "ext_expires_in": "86399", "not_before": str(now - 300),
                              "resource": request.get("resource"), "token_type": "Bearer"})

    def _refuse(self, status, code, message, rule=None, envelope=True):
        if rule:
            self.violate(rule, message)
        raise Refused(self.enveloped(status, code, message) if envelope else Response(status,
                                                                                      {"code": code,
                                                                                       "message": message}))

    def _admit(self, request):
        token = request.bearer()
        if token is None:
            self._refuse(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.",
                         "auth")
        if self.wall() >= self.tokens.get(token, 0):
            if self.tokens.get(token) != 0:
                self.violate("auth", "a token that is wrong or has ended")
            raise Refused(self.denied(request))

    def _pace(self, request, what):
        if not self.limits_hold:
            return
        now = self.clock()
        wait = self.buckets["read" if request.method == "GET" else "delete" if what == "delete" else "write"].take(1,
                                                                                                                   now)
        if self.windows[what].over(what, now):
            wait = max(wait, self.windows[what].times[what][0] + 60 - now)
        if wait:
            self.violate("rate", f"{what}: to wait for {wait:.1f} s")
            refusal = self.limited(request)
            refusal.headers.append(("Retry-After", str(math.ceil(wait))))
            raise Refused(refusal)

    def _route(self, request):
        parts = request.segments
        if request.get("api-version") not in VERSIONS:
            self._refuse(400, "MissingApiVersionParameter" if request.get("api-version") is None
                         else "NoRegisteredProviderFound", f"api-version {request.get('api-version')}", "api-version")
        shape = ("subscriptions", None, "resourcegroups", None, "providers", "microsoft.network", "dnszones", None)
        if len(parts) < len(shape) or any(want and want != part.lower() for want, part in zip(shape, parts)):
            self._refuse(404, "InvalidResourceType", request.path, "path")
        if parts[1].lower() != self.subscription:
            self._refuse(404, "SubscriptionNotFound", f"The subscription '{parts[1]}' could not be found.",
                         "subscription")
        if parts[3].lower() != self.group:
            self._refuse(404, "ResourceGroupNotFound", f"Resource group '{parts[3]}' could not be found.",
                         "resource-group")
        if parts[7].lower() != self.zone:
            code = "ResourceNotFound" if len(parts) == 8 else "ParentResourceNotFound"
            self._refuse(404, code,
                         f"The Resource 'Microsoft.Network/dnsZones/{parts[7]}' under resource group '{self.group}' was not found.")
        if request.method == "GET" and len(parts) == 8:
            return Response(200, self._zone())
        kinds = {rtype.lower(): rtype for rtype in TYPES}
        if request.method == "GET" and len(parts) == 9 and parts[8].lower() in (*kinds, "recordsets", "all"):
            return self._list(request, kinds.get(parts[8].lower()))
        if len(parts) != 10 or parts[8].lower() not in kinds:
            self._refuse(404, "InvalidResourceType", request.path, "path")
        action = {"GET": self._get, "PUT": self._write, "PATCH": self._update, "DELETE": self._delete}.get(request.method)
        if action is None:
            self._refuse(405, "MethodNotAllowed", request.method, "method")
        self.fields(request.query, ("api-version",))
        return action(request, self._named(parts[9]), kinds[parts[8].lower()])

    def _zone(self):
        return {"id": self._path(), "name": self.zone, "type": "Microsoft.Network/dnszones", "etag": self._guid("zone"),
                "location": "global", "tags": {}, "properties": {"maxNumberOfRecordSets": self.max_sets,
                                                                 "maxNumberOfRecordsPerRecordSet": None,
                                                                 "numberOfRecordSets": len(self.records) + 2,
                                                                 "zoneType": "Public",
                                                                 "nameServers": [f"ns1-01.azure-dns.{top}."
                                                                                 for top in ("com", "net", "org",
                                                                                             "info")]}}

    def _path(self, *more):
        return "/".join((f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/Microsoft.Network/dnszones/{self.zone}",
                         *more))

    def _named(self, relative):
        name = self.zone if relative == "@" else f"{relative.lower()}.{self.zone}"
        if not is_name(name) or relative.lower().endswith("." + self.zone) or relative.lower() == self.zone:
            self._refuse(400, "BadRequest", f"The name '{relative}' is not relative to the zone or is invalid.", "name",
                         False)
        return name

    def _set(self, name, rtype):
        ttl, values = self.records[(name, rtype)]
        relative = "@" if name == self.zone else name[:-len(self.zone) - 1]
        list_name, member = MEMBERS.get(rtype, (f"{rtype}Records", "value"))
        return {"id": self._path(rtype, relative), "name": relative, "type": f"Microsoft.Network/dnszones/{rtype}",
                "etag": self.etags[(name, rtype)],
                "properties": {**({"metadata": self.metadata[(name, rtype)]} if (name, rtype) in self.metadata else {}),
                               "fqdn": name + ".", "TTL": ttl, list_name: [{member: value} for value in values],
                               "targetResource": {}, "provisioningState": "Succeeded"}}

    def _list(self, request, rtype):
        self._pace(request, "list")
        self.fields(request.query, ("api-version",), ("$top", "$recordsetnamesuffix", "$skipToken"))
        size, token, suffix = request.get("$top", str(self.page)), request.get("$skipToken",
                                                                               "0"), request.get("$recordsetnamesuffix",
                                                                                                 "")
        if not size.isdigit() or not 1 <= int(size) <= 1000 or not token.isdigit():
            self._refuse(400, "BadRequest", f"$top {size}, $skipToken {token}", "query", False)
        ending = f".{suffix}.{self.zone}" if suffix else ""
        keys = sorted(key for key in self.records if rtype in (None, key[1]) and key[0].endswith(ending))
        start, end = int(token), int(token) + int(size)
        answer = {"value": [self._set(*key) for key in keys[start:end]]}
        if end < len(keys):
            pairs = [(name, value) for name, value in request.query if name != "$skipToken"] + [("$skipToken",
                                                                                                 str(end))]
            answer["nextLink"] = f"{RESOURCE}{request.path}?{urllib.parse.urlencode(pairs, safe='$')}"
        return Response(200, answer)

    def _get(self, request, name, rtype):
        self._pace(request, "get")
        if (name, rtype) not in self.records:
            self._absent(request)
        return self._shown(200, name, rtype)

    def _absent(self, request):
        self._refuse(404, "NotFound",
                     f"The resource record '{request.segments[9]}' does not exist in resource group '{self.group}' of "
                     f"subscription '{self.subscription}'.", envelope=False)

    def _shown(self, status, name, rtype):
        return Response(status, self._set(name, rtype), [("ETag", self.etags[(name, rtype)])])

    def _conditions(self, request, key):
        wanted, absent, have = request.headers.get("If-Match"), request.headers.get("If-None-Match"), self.etags.get(key)
        if absent not in (None, "*"):
            self.violate("condition", f"If-None-Match: {absent}")  # ignored, says the documentation
        if wanted is not None and (have is None or wanted not in ("*", have, f'"{have}"')):
            self._refuse(412, "PreconditionFailed",
                         f"The condition '{wanted}' in the If-Match header was not satisfied. The current was "
                         f"'{have or '<null>'}'.", envelope=False)
        if absent == "*" and have is not None:
            self._refuse(412, "PreconditionFailed", "The Record set already exists and hence cannot be created again.",
                         envelope=False)

    def _delete(self, request, name, rtype):
        self._pace(request, "delete")
        if (name, rtype) not in self.records and request.headers.get("If-Match") is None:
            return Response(204)
        self._conditions(request, (name, rtype))
        self.remove(name, rtype)
        self.metadata.pop((name, rtype), None)
        return Response(200)

    def _write(self, request, name, rtype):
        new = (name, rtype) not in self.records
        self._pace(request, "create" if new else "update")
        ttl, values, metadata = self._parse(request, rtype)
        self._conditions(request, (name, rtype))
        if name in self.bad:
            self._refuse(400, "BadRequest", f"The domain name '{name}' is invalid.", envelope=False)
        if (name, "CNAME") in self.records or rtype == "CNAME" and any((name, other) in self.records for other in TYPES
                                                                       if other != "CNAME"):
            self._refuse(409, "Conflict",
                         "The record could not be created because a CNAME record with the same name already exists in this zone.",
                         envelope=False)
        if new and len(self.records) + 2 >= self.max_sets:
            self._refuse(400, "BadRequest", f"The number of record sets exceeds the maximum of {self.max_sets}.",
                         envelope=False)
        if not self.put(name, rtype, values, ttl):
            self.touch(name, rtype)
        self.metadata.pop((name, rtype), None)  # a PUT replaces the whole record set
        if metadata:
            self.metadata[(name, rtype)] = metadata
        return self._shown(201 if new else 200, name, rtype)

    def _update(self, request, name, rtype):
        """What the body does not name stays."""
        self._pace(request, "update")
        if request.headers.get("If-None-Match") is not None:
            self.violate("condition", "If-None-Match with PATCH")
        if (name, rtype) not in self.records:
            self._absent(request)
        had = self.records[(name, rtype)]
        ttl, values, metadata = self._parse(request, rtype, {"TTL": had[0], "metadata": self.metadata.get((name, rtype), {})}, had[1])
        self._conditions(request, (name, rtype))
        if not self.put(name, rtype, values, ttl):
            self.touch(name, rtype)
        if metadata:
            self.metadata[(name, rtype)] = metadata
        return self._shown(200, name, rtype)

    def _parse(self, request, rtype, had=None, held=()):
        """TTL, values and metadata of the body; in their place, where it does not name them, what a PATCH found."""
        def bad(message):
            self._refuse(400, "BadRequest", message, "body", False)

        if rtype not in MEMBERS:
            self._refuse(400, "BadRequest", f"record sets of type {rtype} are not simulated", "not-simulated", False)
        try:
            body = request.json() if request.content_type == "application/json" else None
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("properties"), dict):
            self._refuse(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.",
                         "body")
        list_name, member = MEMBERS[rtype]
        had = {**(had or {}), **({list_name: [{member: value} for value in held]} if held else {})}
        properties = {**had, **body["properties"]}
        if set(body) - {"properties", "etag", "id", "name", "type"} or set(properties) - {"TTL", "metadata", list_name}:
            bad(f"Unknown members: {sorted(body)}, {sorted(properties)}")
        records, ttl, metadata = properties.get(list_name), properties.get("TTL"), properties.get("metadata", {})
        if not is_integer(ttl, 1, 2147483647):
            bad(f"The TTL {ttl!r} is invalid: it has to be between 1 and 2147483647.")
        if not isinstance(records, list) or not 1 <= len(records) <= 20:
            bad("A record set has to have between 1 and 20 records.")
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            bad("metadata has to be a map of strings")
        return ttl, [self._address(record, member, rtype, bad) for record in records], metadata

    @staticmethod
    def _address(record, member, rtype, bad):
        if not isinstance(record, dict) or set(record) != {member} or not isinstance(record[member], str):
            bad(f"A record has to be {{{member}: address}}, it is {record!r}")
        try:
            address = ipaddress.ip_address(record[member] if "%" not in record[member] else "")
        except ValueError:
            bad(f"The value '{record[member]}' is not a valid address.")
        if address.version != (4 if rtype == "A" else 6):
            bad(f"The value '{record[member]}' is of the other family.")
        return str(address)
