# SPDX-License-Identifier: Apache-2.0
"""Google Cloud DNS API v1 and the token endpoint for service accounts. Sources, read 2026-11-23:
  cloud.google.com/dns/docs/reference/rest/v1/ (changes, resourceRecordSets, managedZones, projects; the API's discovery document)
  cloud.google.com/dns/quotas (1,000 additions and 1,000 deletions a change, 100,000 bytes of rrdata, 100 records a set, 413)
  cloud.google.com/dns/docs/error-messages (reasons, the path of the faulty element in the message)
  developers.google.com/identity/protocols/oauth2/service-account (JWT with RS256, claims, one hour)
Texts of errors are those that the API is seen to send. Signatures are judged by the openssl program."""
import base64
import binascii
import json
import pathlib
import re
import subprocess
import tempfile
import time

from .base import Fake, Response, below, family, is_name
from .tables import Refused, Table, is_integer

SCOPES = {f"https://www.googleapis.com/auth/{name}" for name in ("ndev.clouddns.readwrite", "cloud-platform")}
READ_SCOPES = {f"https://www.googleapis.com/auth/{name}" for name in ("ndev.clouddns.readonly",
                                                                      "cloud-platform.read-only")}
TYPES = ("A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IPSECKEY", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF",
         "SRV", "SSHFP", "SVCB", "TLSA", "TXT")
COMMON = ("alt", "fields", "prettyPrint", "quotaUser", "key", "$.xgafv")  # parameters of every method
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_URI = "https://oauth2.googleapis.com/token"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)


def unpadded(text):
    """The bytes of base64url without padding (RFC 7515 2), ValueError where it is none."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("not base64url")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


class Google(Fake):
    name, service, hosts = "google", "Google Cloud DNS", ("dns.googleapis.com", "oauth2.googleapis.com")
    source, read = "https://cloud.google.com/dns/docs/reference/rest/v1/changes/create", "2026-11-23"
    state, takes_ttl = ("records", "made", "tokens"), True

    def __init__(self):
        super().__init__()
        # made: {change id: Change}; tokens: {token: (end, scopes)}
        self.records, self.made, self.tokens = Table(), Table(), Table()
        self.project, self.managed = "fleet-" + self.secret("project", "0123456789", 6), "fleet-zone"
        self.email = f"muster@{self.project}.iam.gserviceaccount.com"
        self.key_id = self.secret("key id", "0123456789abcdef", 40)
        self.quota = {"rrsetAdditionsPerChange": 1000, "rrsetDeletionsPerChange": 1000,
                      "totalRrdataSizePerChange": 100000, "resourceRecordsPerRrset": 100, "rrsetsPerManagedZone": 10000}
        self.page = 100  # record sets of a page where the client does not say
        self.propagation = 1.0  # seconds from pending to done
        self.wall = time.time  # for assertions and tokens
        self._pem = None

    @property
    def pem(self):
        if self._pem is None:
            self._pem = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048").stdout.decode()
        return self._pem

    def account(self, hosts=()):
        return {"key": {"type": "service_account", "project_id": self.project, "private_key_id": self.key_id,
                        "private_key": self.pem, "client_email": self.email, "client_id": self.secret("client",
                                                                                                      "0123456789", 21),
                        "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": TOKEN_URI,
                        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
                        "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{self.email.replace('@', '%40')}",
                        "universe_domain": "googleapis.com"}}

    def is_lookup(self, request):
        return request.method == "GET" or request.host == "oauth2.googleapis.com"

    # ---- for the suite ----

    def revoke(self):
        """No token that was given out is good any more; a client cannot know."""
        self.tokens = Table({token: (0, set()) for token in self.tokens})

    def enlarge(self):
        """The customer asked for more record sets in a zone."""
        self.quota = {**self.quota, "rrsetsPerManagedZone": 1000000}

    def rename(self):
        """The managed zone was made anew under another name."""
        self.managed += "-new"

    def error(self, status, message, reason, more=(), word=None):
        errors = [{"message": text, "domain": "global", "reason": why} for text, why in [(message, reason), *more]]
        body = {"code": status, "message": message, "errors": errors}
        return Response(status, {"error": {**body, "status": word} if word else body})

    def denied(self, request):
        if request.host == "oauth2.googleapis.com":
            return Response(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        refusal = self.error(401,
                             "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
                             "authentication credential.", "authError", word="UNAUTHENTICATED")
        refusal.headers.append(("WWW-Authenticate",
                                'Bearer realm="https://accounts.google.com/", error="invalid_token"'))
        return refusal

    def limited(self, request):
        return self.error(429,
                          "Quota exceeded for quota metric 'Write requests' and limit 'Write limit for a minute for a region'",
                          "rateLimitExceeded", word="RESOURCE_EXHAUSTED")

    def outage(self, request, status):
        return self.error(status, "Internal error encountered." if status == 500
                          else "The service is currently unavailable.", "backendError", word="INTERNAL" if status == 500
                          else "UNAVAILABLE")

    # ---- the API ----

    def handle(self, request):
        try:
            if request.host == "oauth2.googleapis.com":
                return self._token(request)
            self._admit(request)
            return self._route(request)
        except Refused as refusal:
            return refusal.response

    def _refuse(self, status, message, reason, rule=None):
        if rule:
            self.violate(rule, message)
        raise Refused(self.error(status, message, reason))

    def _token(self, request):
        def refuse(rule, error, text):
            self.violate(rule, text)
            raise Refused(Response(400, {"error": error, "error_description": text}))

        if request.method != "POST" or request.path != "/token" or request.content_type != "application/x-www-form-urlencoded":
            refuse("path", "invalid_request", f"{request.method} {request.path} {request.content_type}")
        if not self.fields(request.form, ("grant_type", "assertion")) or self.fields(request.query, ()) is False:
            refuse("form", "invalid_request", "Required parameter is missing: grant_type or assertion")
        form = dict(request.form)
        if form["grant_type"] != GRANT:
            refuse("form", "unsupported_grant_type", f"Invalid grant_type: {form['grant_type']}")
        claims, fault = self._claims(form["assertion"])
        if fault:
            refuse("assertion", *fault)
        token = "ya29.c." + self.secret(f"token {len(self.tokens)}", length=180)
        self.tokens[token] = (self.wall() + 3599, set(claims["scope"].split()))
        return Response(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _claims(self, assertion):
        """(claims, None) of an assertion that is right, else (None, (error, description))."""
        try:
            first, second, third = assertion.split(".")
            header, claims, signature = json.loads(unpadded(first)), json.loads(unpadded(second)), unpadded(third)
        except (ValueError, binascii.Error):
            return None, ("invalid_grant", "Invalid JWT: Failed to parse token.")
        if header.get("alg") != "RS256" or header.get("typ") != "JWT" or set(header) - {"alg", "typ", "kid"}:
            return None, ("invalid_grant", f"Invalid JWT header: {header}")
        if claims.get("iss") != self.email:
            return None, ("invalid_grant", "Invalid grant: account not found")
        if header.get("kid", self.key_id) != self.key_id or not self._signed(f"{first}.{second}", signature):
            return None, ("invalid_grant", "Invalid JWT Signature.")
        if claims.get("aud") != TOKEN_URI:
            return None, ("invalid_grant", f"Invalid JWT: audience {claims.get('aud')}")
        now, issued, ends = self.wall(), claims.get("iat"), claims.get("exp")
        if not (is_integer(issued, 1, 1 << 40) and is_integer(ends, issued + 1, issued + 3600) and issued <= now + 60
                and now < ends):
            return None, ("invalid_grant",
                          "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your "
                          "iat and exp values in the JWT claim.")
        scopes = claims.get("scope") if isinstance(claims.get("scope"), str) else ""
        if not scopes or set(scopes.split()) - SCOPES - READ_SCOPES:
            return None, ("invalid_scope", f"Invalid OAuth scope or ID token audience provided: {scopes!r}")
        if set(claims) - {"iss", "scope", "aud", "exp", "iat", "sub"} or claims.get("sub", self.email) != self.email:
            return None, ("unauthorized_client",
                          f"Client is unauthorized to retrieve access tokens using this method: {sorted(claims)}")
        return claims, None

    def _signed(self, text, signature):
        with tempfile.TemporaryDirectory() as folder:
            public, proof = pathlib.Path(folder) / "public.pem", pathlib.Path(folder) / "signature"
            public.write_bytes(openssl("pkey", "-pubout", data=self.pem.encode()).stdout)
            proof.write_bytes(signature)
            return openssl("dgst", "-sha256", "-verify", str(public), "-signature", str(proof),
                           data=text.encode()).returncode == 0

    def _admit(self, request):
        end, scopes = self.tokens.get(request.bearer() or "", (0, set()))
        if self.wall() >= end:
            if request.bearer() not in self.tokens or end:
                self.violate("auth", "no token, a wrong one or one that has ended")
            raise Refused(self.denied(request))
        if not scopes & (SCOPES if request.method != "GET" else SCOPES | READ_SCOPES):
            self._refuse(403, "Request had insufficient authentication scopes.", "insufficientPermissions", "scope")

    def _route(self, request):
        parts, method = request.segments, request.method
        if parts[:3] != ["dns", "v1", "projects"] or "" in parts:
            self._refuse(404, "Not Found", "notFound", "path")
        if len(parts) > 3 and parts[3] != self.project:
            self._refuse(403, "Forbidden", "forbidden", "project")
        if method == "GET" and len(parts) == 4:
            self.fields(request.query, (), COMMON)
            return Response(200, {"kind": "dns#project", "number": "123456789012", "id": self.project,
                                  "quota": {"kind": "dns#quota", **self.quota}})
        if parts[4:5] != ["managedZones"]:
            self._refuse(404, "Not Found", "notFound", "path")
        if method == "GET" and len(parts) == 5:
            return self._zones(request)
        if len(parts) > 5 and parts[5] not in (self.managed, self._number()):
            self._refuse(404, f"The 'parameters.managedZone' resource named '{parts[5]}' does not exist.", "notFound")
        action = {("GET",): self._zone, ("GET", "rrsets"): self._list, ("POST", "changes"): self._create,
                  ("GET", "changes", "id"): self._get}.get((method, *parts[6:7], *(["id"] if len(parts) == 8 else [])))
        if action is None or len(parts) > 8:
            self._refuse(404, "Not Found", "notFound", "path")
        return action(request)

    def _number(self):
        return self.secret(self.managed, "123456789", 19)

    def _shown(self):
        return {"kind": "dns#managedZone", "name": self.managed, "dnsName": self.zone + ".", "description": "",
                "id": self._number(), "nameServers": [f"ns-cloud-a{i}.googledomains.com." for i in (1, 2, 3, 4)],
                "creationTime": "2026-11-23T10:00:00.000Z", "visibility": "public",
                "dnssecConfig": {"kind": "dns#managedZoneDnsSecConfig", "state": "off"}}

    def _zones(self, request):
        """A filter by dnsName is exact; without it the project's other zones come too."""
        self.fields(request.query, (), ("dnsName", "maxResults", "pageToken", *COMMON))
        wanted = request.get("dnsName")
        if wanted is not None and not wanted.endswith("."):
            self._refuse(400, f"Invalid value for 'parameters.dnsName': '{wanted}'", "invalid", "query")
        other = {**self._shown(), "name": "another", "dnsName": f"another-{self.zone}.", "id": "1"}
        zones = [zone for zone in (other, self._shown()) if wanted in (None, zone["dnsName"])]
        return Response(200, {"kind": "dns#managedZonesListResponse", "managedZones": zones})

    def _zone(self, request):
        self.fields(request.query, (), (*COMMON, "clientOperationId"))
        return Response(200, self._shown())

    def _list(self, request):
        self.fields(request.query, (), ("name", "type", "maxResults", "pageToken", *COMMON))
        name, rtype, token, size = (request.get(key) for key in ("name", "type", "pageToken", "maxResults"))
        if rtype is not None and name is None:
            self._refuse(400, "The 'parameters.name' parameter is required but was missing.", "required", "query")
        if name is not None and not name.endswith(".") or rtype is not None and rtype not in TYPES:
            self._refuse(400, f"Invalid value for 'parameters.name': '{name}'", "invalid", "query")
        if size is not None and not (size.isdigit() and 1 <= int(size) <= 1000):
            self._refuse(400, f"Invalid value for 'parameters.maxResults': '{size}'", "invalid", "query")
        keys = sorted(key for key in [*self.records, (self.zone, "NS"), (self.zone, "SOA")]
                      if (name is None or key[0] == name.rstrip(".").lower()) and rtype in (None, key[1]))
        start = int(token.partition("-")[2]) if token and re.fullmatch(r"page-\d+", token) else 0
        count = int(size or self.page)
        if token and not start:
            self._refuse(400, f"Invalid value for 'parameters.pageToken': '{token}'", "invalid", "query")
        answer = {"kind": "dns#resourceRecordSetsListResponse",
                  "rrsets": [self._set(*key) for key in keys[start:start + count]]}
        if start + count < len(keys):
            answer["nextPageToken"] = f"page-{start + count}"
        return Response(200, answer)

    def _set(self, name, rtype):
        own = {"NS": (21600, self._shown()["nameServers"]), "SOA": (21600, [
            "ns-cloud-a1.googledomains.com. cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"])}
        ttl, values = self.records.get((name, rtype)) or own[rtype]
        return {"kind": "dns#resourceRecordSet", "name": name + ".", "type": rtype, "ttl": ttl, "rrdatas": values,
                "signatureRrdatas": []}

    def _get(self, request):
        self.fields(request.query, (), (*COMMON, "clientOperationId"))
        key = request.segments[7]
        if key not in self.made:
            self._refuse(404, f"The 'parameters.changeId' resource named '{key}' does not exist.", "notFound",
                         "change-id")
        return Response(200, self._now(key))

    def _now(self, key):
        change, done = self.made[key]
        return {**change, "status": "done" if self.clock() >= done else "pending"}

    # ---- changes ----

    def _create(self, request):
        self.fields(request.query, (), (*COMMON, "clientOperationId"))
        try:
            body = request.json() if request.content_type == "application/json" else None
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._refuse(400, "Parse Error", "parseError", "body")
        if set(body) - {"kind", "additions", "deletions"}:
            self.violate("field", f"output only or unknown: {sorted(body)}")
        lists = {verb: body.get(verb) or [] for verb in ("additions", "deletions")}
        if not all(isinstance(items, list) and all(isinstance(item, dict) for item in items)
                   for items in lists.values()):
            self._refuse(400, "Invalid value for 'entity.change'", "invalid", "body")
        if not any(lists.values()):
            self._refuse(400, "The 'entity.change' parameter is required but was missing.", "required", "body")
        self._within_quota(lists)
        sets = {verb: [self._parsed(verb, i, item) for i, item in enumerate(items)] for verb, items in lists.items()}
        self._raise([fault for items in sets.values() for _, faults in items for fault in faults])
        after, faults = self._apply({verb: [item for item, _ in items] for verb, items in sets.items()})
        self._raise(faults)
        for key in dict.fromkeys((item["name"], item["type"]) for items in sets.values() for item, _ in items):
            ttl, values = after.get(key, (0, []))
            self.put(*key, values, ttl)
        key = str(len(self.made) + 1)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.wall()))
        change = {"kind": "dns#change", "id": key, "startTime": stamp, "status": "pending", "isServing": False,
                  **{verb: [{"kind": "dns#resourceRecordSet", **item, "signatureRrdatas": []} for item in items]
                     for verb, items in lists.items() if items}}
        self.made[key] = (change, self.clock() + self.propagation)
        return Response(200, self._now(key))

    def _within_quota(self, lists):
        for verb, items in lists.items():
            limit = self.quota[f"rrset{verb.title()}PerChange"]
            if len(items) > limit:
                self._refuse(413, f"The number of 'entity.change.{verb}' is over the quota of {limit}.",
                             "quotaExceeded", "batch-size")
        size = sum(len(str(data)) for items in lists.values() for item in items for data in item.get("rrdatas") or ())
        if size > self.quota["totalRrdataSizePerChange"]:
            self._refuse(413, f"The size of all rrdata of the change, {size} bytes, is over the quota.",
                         "quotaExceeded", "batch-size")

    def _raise(self, faults):
        """faults: [(status, message, reason)]. The first says what the answer is, all with its status are listed."""
        if faults:
            status, message, reason = faults[0]
            raise Refused(self.error(status, message, reason, [(text, why) for code, text,
                                                               why in faults[1:] if code == status]))

    def _parsed(self, verb, i, item):
        """({name, type, ttl, values}, faults)"""
        where, faults = f"entity.change.{verb}[{i}]", []

        def invalid(field, value):
            self.violate("field", f"{where}.{field}: {value!r}")
            faults.append((400, f"Invalid value for '{where}.{field}': '{value}'", "invalid"))

        if set(item) - {"kind", "name", "type", "ttl", "rrdatas", "signatureRrdatas"}:
            invalid("fields", sorted(item))
        if item.get("kind", "dns#resourceRecordSet") != "dns#resourceRecordSet":
            invalid("kind", item["kind"])
        name, rtype, ttl, values = item.get("name"), item.get("type"), item.get("ttl"), item.get("rrdatas")
        if not isinstance(name, str) or not name.endswith(".") or not is_name(name[:-1]) or not below(name[:-1],
                                                                                                      self.zone):
            invalid("name", name)
        if rtype not in TYPES:
            invalid("type", rtype)
        if not is_integer(ttl, 0, 2147483647):
            invalid("ttl", ttl)
        if not isinstance(values, list) or not values or len(values) > self.quota["resourceRecordsPerRrset"]:
            invalid("rrdata", values)
            values = []
        for number, value in enumerate(values):
            if not isinstance(value, str) or rtype in ("A",
                                                       "AAAA") and family(value) != rtype or values.count(value) > 1:
                invalid(f"rrdata[{number}]", value)
        if verb == "additions" and isinstance(name, str) and name[:-1].lower() in self.bad:
            faults.append((400, f"Invalid value for '{where}.name': '{name}'", "invalid"))
        return {"name": str(name)[:-1].lower(), "type": rtype, "ttl": ttl, "values": values}, faults

    def _apply(self, sets):
        after, faults = dict(self.records), []
        for i, item in enumerate(sets["deletions"]):
            key, where = (item["name"], item["type"]), f"entity.change.deletions[{i}]"
            if key not in after:
                faults.append((404, f"The '{where}' resource named '{key[0]}. ({key[1]})' does not exist.", "notFound"))
            elif after[key] != (item["ttl"], sorted(item["values"])):
                faults.append((412, f"Precondition not met for '{where}'", "conditionNotMet"))
            else:
                del after[key]
        for i, item in enumerate(sets["additions"]):
            key, where = (item["name"], item["type"]), f"entity.change.additions[{i}]"
            if key in after or key in ((self.zone, "NS"), (self.zone, "SOA")):
                faults.append((409, f"The resource '{where}' named '{key[0]}. ({key[1]})' already exists",
                               "alreadyExists"))
                continue
            after[key] = (item["ttl"], sorted(item["values"]))
            kinds = {rtype for rtype in TYPES if (key[0], rtype) in after}
            if "CNAME" in kinds and len(kinds) > 1:
                faults.append((400,
                               f"The resource record set '{where}' is invalid because the DNS name '{key[0]}.' may have either one CNAME "
                               "resource record set or resource record sets of other types, but not both.",
                               "cnameResourceRecordSetConflict"))
        limit = self.quota["rrsetsPerManagedZone"]
        if len(after) + 2 > max(limit, len(self.records) + 2):
            faults.append((413, f"The managed zone would have more than {limit} resource record sets.",
                           "quotaExceeded"))
        return after, faults
