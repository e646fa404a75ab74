# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificate authorities for tests. `pki(folder)` is what a deployment has: made by `muster ca` when that is
built, else by openssl. Certificates that `muster ca` rightly refuses to make, which cheats need, come from openssl with
the same authority's key: `.devices.issue(...)`.
"""
import subprocess

from . import build_dir

_LEAF = {
    "device": "extendedKeyUsage=clientAuth\n",
    "service": "extendedKeyUsage=clientAuth\n",
    "claim": "extendedKeyUsage=clientAuth\n",
    "server": "extendedKeyUsage=serverAuth\n",
}


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")


class Identity:
    """Paths of one leaf: cert, key (0600); cn."""

    def __init__(self, cn, cert, key):
        self.cn, self.cert, self.key = cn, cert, key


class Authority:
    """One certificate authority; made in `folder` on construction, unless its certificate is there."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        if self.cert.exists():
            return
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                 "-subj", f"/CN=test {name} CA", "-keyout", self.key, "-out", self.cert,
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.key.chmod(0o600)

    def issue(self, kind, cn, ips=(), names=(), file=None, days=30):
        """A leaf of `kind` (device, service, server). Nothing here forbids a CN: cheats need wrong ones."""
        file = file or cn
        key, csr, cert = (self.folder / f"{self.name}-{file}.{suffix}" for suffix in ("key", "csr", "pem"))
        extensions = self.folder / f"{self.name}-{file}.ext"
        text = ("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n" + _LEAF[kind])
        alternatives = [f"IP:{ip}" for ip in ips] + [f"DNS:{name}" for name in names]
        if alternatives:
            text += f"subjectAltName={','.join(alternatives)}\n"
        extensions.write_text(text)
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={cn}",
                 "-keyout", key, "-out", csr)
        _openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-days", days, "-out", cert,
                 "-extfile", extensions)
        key.chmod(0o600)
        return Identity(cn, cert, key)


class Pki:
    """Roots made by openssl, and the bundles: what the brokers accept clients by, and clients the brokers."""

    def __init__(self, folder):
        self.devices = Authority(folder, "devices")
        self.services = Authority(folder, "services")
        self.servers = Authority(folder, "servers")
        self.claims = Authority(folder, "claims")
        self.server_bundle = self.servers.cert
        self.clients_bundle = folder / "clients.pem"
        self.clients_bundle.write_text(self.devices.cert.read_text() + self.services.cert.read_text())
        self.claims_bundle = folder / "bundle-claims.pem"
        self.claims_bundle.write_text(self.claims.cert.read_text() + self.services.cert.read_text())

    def device(self, device_id):
        return self.devices.issue("device", device_id)

    def service(self, name):
        return self.services.issue("service", name)

    def claim(self, name):
        return self.claims.issue("claim", name)

    def server(self, name, ips=(), names=("localhost",)):
        return self.servers.issue("server", name, ips, names)


class ProductPki:
    """The same made by `muster ca`: a root, the issuing authorities below it, and their bundles."""

    def __init__(self, folder, program):
        self.folder, self.program = folder, program
        self._run("init", "--name", "test")
        self.devices, self.services, self.servers, self.claims = (Authority(folder, name) for name in
                                                                  ("devices", "services", "server-ca", "claims"))
        self.claims_bundle = folder / "bundle-claims.pem"
        self.clients_bundle, self.server_bundle = folder / "bundle-clients.pem", folder / "bundle-server.pem"

    def _run(self, verb, *arguments):
        done = subprocess.run([self.program, "ca", verb, "--dir", str(self.folder), *map(str, arguments)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"muster ca {verb}: {done.stderr}")

    def _issue(self, profile, name, *more):
        prefix = self.folder / f"issued-{name}"
        self._run("issue", "--profile", profile, "--cn", name, "--out", prefix, "--force", *more)
        return Identity(name, prefix.with_name(prefix.name + ".pem"), prefix.with_name(prefix.name + ".key"))

    def device(self, device_id):
        return self._issue("device", device_id)

    def service(self, name):
        return self._issue("service", name)

    def claim(self, name):
        return self._issue("claim", name)

    def server(self, name, ips=(), names=("localhost",)):
        more = [part for ip in ips for part in ("--ip", ip)] + [part for one in names for part in ("--dns", one)]
        return self._issue("server", name, *more)


def pki(folder):
    """The authorities of a deployment, by `muster ca` when it is built."""
    program = build_dir() / "cli" / "muster"
    return ProductPki(folder, program) if program.exists() else Pki(folder)
