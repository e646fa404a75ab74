# SPDX-License-Identifier: Apache-2.0
"""Where the quickstart's cameras live: two worlds with one interface.

World: `address` the broker and the DNS server listen on; `public` prefix of the cameras' addresses; `tells` what it is,
`notice` how a camera finds that its address changed; enter() is called once before anything starts; camera(i,
broker_port) -> Camera; close(). Camera: prefix (put before a command line), endpoint (the broker as the camera sees it),
interface whose addresses it reports, public (its address as the broker sees it), move() -> the new one.
"""
import socket
import threading

from muster_testlib import ports
from muster_testlib.netns import Namespaces


class _Moving:
    """Cycles through a camera's nine public addresses: every move is to one that the name did not just have."""

    def __init__(self, addresses):
        self._addresses, self._index = addresses, 0

    @property
    def public(self):
        return self._addresses[self._index % len(self._addresses)]

    def _next(self):
        self._index += 1
        return self.public


class RoutedCamera(_Moving):
    """A namespace with a private address behind a router namespace that masquerades."""

    interface = "eth0"

    def __init__(self, spaces, index, endpoint):
        super().__init__([f"203.0.113.{index * 10 + n}" for n in range(1, 10)])
        self._spaces, self._camera, self._router = spaces, f"camera{index}", f"router{index}"
        self.endpoint = endpoint
        self.prefix = spaces.prefix(self._camera)

    def build(self, core, index):
        spaces = self._spaces
        for name in (self._camera, self._router):
            spaces.add(name)
        spaces.ip(core, f"""link add camera{index} type veth peer name wan netns {spaces.full(self._router)}
link set camera{index} master internet up""")
        spaces.ip(self._router, f"""link add lan type veth peer name eth0 netns {spaces.full(self._camera)}
address add {self.public}/24 dev wan
address add 192.168.1.1/24 dev lan
link set wan up
link set lan up""")
        spaces.ip(self._camera, """address add 192.168.1.2/24 dev eth0
link set eth0 up
route add default via 192.168.1.1""")
        spaces.sysctl(self._router, ipv4__ip_forward=1)
        spaces.nft(self._router, """table ip nat {
  chain postrouting { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
}
""")

    def move(self):
        """The provider gives the router another address. The camera is told nothing: its connection just stops working,
        and its next packet, here the kernel's probe, is answered with a reset."""
        old = self.public
        new = self._next()
        self._spaces.ip(self._router, f"address del {old}/24 dev wan\naddress add {new}/24 dev wan")
        return new


class NetnsWorld:
    """Broker, DNS server and coordinator in a "core" namespace, three cameras behind a NAT router each."""

    address, public = "203.0.113.1", "203.0.113.0/24"
    tells = "each camera is behind a NAT router of its own; only the router's public address changes"
    notice = """The camera is told
  nothing: its kernel asks the broker after a second of silence (broker.probe) and is answered with a reset; the agent
  waits a moment, drawn from 0 to 1 s, and connects anew."""

    def __init__(self):
        self._spaces = Namespaces()
        self.prefix = " ".join(["ip", "netns", "exec", self._spaces.full("core"), ""])

    def enter(self):
        self._spaces.add("core")
        self._spaces.ip("core", f"""link add internet type bridge
address add {self.address}/24 dev internet
link set internet up""")
        self._spaces.enter("core")

    def camera(self, index, port):
        camera = RoutedCamera(self._spaces, index, f"{self.address}:{port}")
        camera.build("core", index)
        return camera

    def close(self):
        self._spaces.close()


class _Relay(threading.Thread):
    """Passes TCP connections on to the broker from a source address of our choice; sees TLS only."""

    def __init__(self, listen, target, source):
        super().__init__(daemon=True)
        self._target, self._source = target, source
        self._lock, self._open = threading.Lock(), set()
        self._server = socket.create_server(listen)

    def run(self):
        while True:
            near, _ = self._server.accept()
            try:
                far = socket.create_connection(self._target, timeout=5, source_address=(self._source, 0))
            except OSError:
                near.close() # the agent tries again
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass # either end is gone, which the next lines pass on
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass # not connected any more
        with self._lock:
            self._open.discard(one)

    def move(self, source):
        self._source = source
        with self._lock:
            for end in self._open:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass # not connected any more


class RelayedCamera(_Moving):
    """A camera whose connections leave a relay from one loopback address, later from another."""

    prefix = ()
    interface = "no-such-interface"  # this machine's own addresses are not the camera's

    def __init__(self, index, address, port):
        super().__init__([f"127.203.113.{index * 10 + n}" for n in range(1, 10)])
        listen = (address, ports.free_port(address))
        self.endpoint = f"{listen[0]}:{listen[1]}"
        self._relay = _Relay(listen, (address, port), self.public)
        self._relay.start()

    def move(self):
        self._relay.move(self._next())
        return self.public


class LoopbackWorld:
    """For machines that allow no namespaces."""

    public, prefix = "127.203.113.0/24", ""
    tells = ("cameras are processes of this machine whose connections pass a TCP relay; a change is the relay leaving\n"
             "from another loopback address. Not shown: NAT, a connection that dies silently, interface addresses")
    notice = """The camera's
  connection is closed; the agent waits a moment, drawn from 0 to 1 s, and connects anew."""

    def __init__(self):
        self.address = ports.loopback()

    def enter(self):
        pass

    def camera(self, index, port):
        return RelayedCamera(index, self.address, port)

    def close(self):
        pass
