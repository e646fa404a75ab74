# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificate authorities for tests: three roots, as a deployment has them (devices, services, servers).

Made with the openssl program, so the certificates under test are judged by a second implementation, not by our own.
"""
import subprocess

_LEAF = {
    "device": "extendedKeyUsage=clientAuth\n",
    "service": "extendedKeyUsage=clientAuth\n",
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
    """One certificate authority; made in `folder` on construction."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
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
    """The three authorities of a deployment and the bundle that the broker accepts clients by."""

    def __init__(self, folder):
        self.devices = Authority(folder, "devices")
        self.services = Authority(folder, "services")
        self.servers = Authority(folder, "servers")
        self.clients_bundle = folder / "clients.pem"
        self.clients_bundle.write_text(self.devices.cert.read_text() + self.services.cert.read_text())

    def device(self, device_id):
        return self.devices.issue("device", device_id)

    def service(self, name):
        return self.services.issue("service", name)

    def server(self, name, ips=(), names=("localhost",)):
        return self.servers.issue("server", name, ips, names)
