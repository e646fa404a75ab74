# SPDX-License-Identifier: Apache-2.0
"""Signature Version 4 judged by the vendor's own signer, npm package @smithy/signature-v4 in the version of package-lock.json
beside this file: a node child signs each request again and the Authorization must be the same byte for byte.
The package is installed into the build tree once for a build tree and lock."""
import base64
import datetime
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

HERE = pathlib.Path(__file__).parent
_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9]+)/aws4_request, "
                         r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})")


def installed():
    """The folder with node_modules, made where it is missing; FileNotFoundError without npm."""
    folder = pathlib.Path(os.environ["MUSTER_BUILD_DIR"]).resolve() / "tests" / "contract" / "fakes"
    folder.mkdir(parents=True, exist_ok=True)
    lock, stamp = (HERE / "package-lock.json").read_bytes(), folder / "installed-lock.json"
    with open(folder / "installing", "w", encoding="ascii") as turn:  # several tests may start at once
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(HERE / name, folder / name)
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
            stamp.write_bytes(lock)
    return folder


class Signer:
    """The node child; one for a process is enough, any thread may ask."""

    shared, starting = None, threading.Lock()

    def __init__(self):
        self.lock = threading.Lock()
        self.child = subprocess.Popen(["node", str(HERE / "sigv4_verify.mjs"), str(installed())], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    @classmethod
    def get(cls):
        with cls.starting:
            if cls.shared is None:
                cls.shared = cls()
            return cls.shared

    def authorization(self, **asked):
        with self.lock:
            self.child.stdin.write(json.dumps(asked) + "\n")
            self.child.stdin.flush()
            answer = json.loads(self.child.stdout.readline())
        if "fault" in answer:
            raise ValueError(answer["fault"])
        return answer["authorization"]

    @classmethod
    def end(cls):
        """Ends the child, if there is one; it also ends with this process."""
        with cls.starting:
            signer, cls.shared = cls.shared, None
        if signer is not None:
            signer.child.communicate()


def judge(request, key, secret, token, region, service, now):
    """(code, text) of what the vendor has against the signature, None where it is right. `now` is wall time in seconds.
    Codes are those of the common errors of AWS."""
    text = request.headers.get("Authorization")
    if text is None:
        return "MissingAuthenticationToken", "Missing Authentication Token"
    found = _CREDENTIAL.fullmatch(text)
    if found is None:
        return "IncompleteSignature", f"Authorization header is not of the documented form: {text.split('Signature')[0]}"
    given, day, where, what, names, _ = found.groups()
    names = names.split(";")
    date = request.headers.get("X-Amz-Date") or ""
    try:
        then = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return "IncompleteSignature", f"X-Amz-Date {date!r}"
    if given != key:
        return "InvalidClientTokenId", "The security token included in the request is invalid."
    if (request.headers.get("X-Amz-Security-Token") or "") != token:
        return "InvalidClientTokenId", "The security token included in the request is invalid"
    if (where, what, day) != (region, service, date[:8]):
        return "SignatureDoesNotMatch", f"Credential should be scoped to {date[:8]}/{region}/{service}, not {day}/{where}/{what}"
    if abs(then.timestamp() - now) > 300:
        return "SignatureDoesNotMatch", f"Signature expired or not yet current: {date}"
    fields = {name.lower(): value for name, value in request.headers.fields}
    owed = {"host"} | {name for name in fields if name.startswith("x-amz-") or name == "content-type"}
    if names != sorted(set(names)) or not owed <= set(names) or not set(names) <= set(fields):
        return "SignatureDoesNotMatch", f"signed {names}, to be signed {sorted(owed)}"
    if fields.get("x-amz-content-sha256", "") not in ("", hashlib.sha256(request.body).hexdigest()):
        return "SignatureDoesNotMatch", "x-amz-content-sha256 is not the hash of the body"
    wanted = Signer.get().authorization(method=request.method, path=request.path, query=request.query,
                                        headers={name: fields[name] for name in names},
                                        body=base64.b64encode(request.body).decode(), key=key, secret=secret,
                                        token=token, region=region, service=service, date=then.isoformat())
    if wanted != text:
        return "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
    return None
