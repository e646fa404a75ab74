# SPDX-License-Identifier: Apache-2.0
"""A small MQTT 5 client on a raw socket, for tests that must see every reason code and send what a library refuses.

One thread reads; the caller's thread sends. QoS 0 and 1, wills, user properties in order. Not a product client.
"""
import collections
import select
import socket
import ssl
import struct
import threading
import time

from .procs import DEADLINE, Timeout

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14
NOT_AUTHORIZED, SESSION_TAKEN_OVER = 0x87, 0x8E

_BYTE, _TWO, _FOUR, _VARINT, _TEXT, _PAIR = range(6)
_PROPERTIES = {1: _BYTE, 2: _FOUR, 3: _TEXT, 8: _TEXT, 9: _TEXT, 11: _VARINT, 17: _FOUR, 18: _TEXT, 19: _TWO, 21: _TEXT,
               22: _TEXT, 23: _BYTE, 24: _FOUR, 25: _BYTE, 26: _TEXT, 28: _TEXT, 31: _TEXT, 33: _TWO, 34: _TWO, 35: _TWO,
               36: _BYTE, 37: _BYTE, 38: _PAIR, 39: _FOUR, 40: _BYTE, 41: _BYTE, 42: _BYTE}
CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION, EXPIRY, USER = 3, 8, 9, 2, 38

Message = collections.namedtuple("Message", "topic payload qos retain properties")


class Refused(Exception):
    """CONNACK with a reason of 0x80 or more; args[0] is the reason. 0x100: closed without an answer."""


def _varint(number):
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def _read_varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _text(value):
    data = value.encode() if isinstance(value, str) else bytes(value)
    return struct.pack("!H", len(data)) + data


def encode_properties(properties):
    """[(identifier, value)], with value a (name, value) pair for user properties, in the order given."""
    out = b""
    for identifier, value in properties:
        kind = _PROPERTIES[identifier]
        out += bytes([identifier])
        if kind == _PAIR:
            out += _text(value[0]) + _text(value[1])
        elif kind == _TEXT:
            out += _text(value)
        elif kind == _VARINT:
            out += _varint(value)
        else:
            out += struct.pack({_BYTE: "!B", _TWO: "!H", _FOUR: "!I"}[kind], value)
    return _varint(len(out)) + out


def _take_text(data, at):
    length = struct.unpack_from("!H", data, at)[0]
    return data[at + 2:at + 2 + length], at + 2 + length


def decode_properties(data, at):
    length, at = _read_varint(data, at)
    end, found = at + length, []
    while at < end:
        identifier, at = data[at], at + 1
        kind = _PROPERTIES[identifier]
        if kind == _PAIR:
            name, at = _take_text(data, at)
            value, at = _take_text(data, at)
            value = (name.decode(), value.decode())
        elif kind == _TEXT:
            value, at = _take_text(data, at)
            value = value if identifier == CORRELATION else value.decode("utf-8", "replace")
        elif kind == _VARINT:
            value, at = _read_varint(data, at)
        else:
            form = {_BYTE: "!B", _TWO: "!H", _FOUR: "!I"}[kind]
            value, at = struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
        found.append((identifier, value))
    return found, at


class Client:
    """connect() on construction; raises Refused. `identity` has .cert, .key, .cn (None: plain TCP without TLS)."""

    def __init__(self, address, port, ca_file=None, identity=None, client_id=None, will=None, keepalive=60,
                 clean_start=True, session_expiry=0, receive_maximum=65535, username=None):
        self.client_id = client_id if client_id is not None else (identity.cn if identity else "Viewer.test")
        self.messages = []
        self.disconnect_reason = None
        self.connack_properties = []
        self._answers = {}
        self._packet_id = 0
        self._changed = threading.Condition()
        self._lock = threading.RLock()  # one SSL object must not be read and written at once
        self._sending = threading.Lock()  # a packet goes out whole, also when the socket takes it in parts
        self._closed = False
        self._socket = self._open(address, port, ca_file, identity)
        self._reader = threading.Thread(target=self._read_loop, daemon=True)
        self._reader.start()
        try:
            self._connect(will, keepalive, clean_start, session_expiry, receive_maximum, username)
        except BaseException:
            self.abort()
            raise

    @staticmethod
    def _open(address, port, ca_file, identity):
        raw = socket.create_connection((address, port), timeout=DEADLINE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca_file is None:
            raw.settimeout(0)
            return raw
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ca_file))
        if identity is not None:
            context.load_cert_chain(str(identity.cert), str(identity.key))
        try:
            tls = context.wrap_socket(raw, server_hostname=address)
        except (ssl.SSLError, OSError) as error:
            raw.close()
            raise Refused(0x100, str(error)) from error
        tls.settimeout(0)
        return tls

    def _connect(self, will, keepalive, clean_start, session_expiry, receive_maximum, username):
        flags = (2 if clean_start else 0) | (0x80 if username is not None else 0)
        body = _text(self.client_id)
        if will is not None:
            flags |= 4 | will.get("qos", 0) << 3 | (0x20 if will.get("retain") else 0)
            body += encode_properties(will.get("properties", [])) + _text(will["topic"]) + _text(will["payload"])
        if username is not None:
            body += _text(username)
        properties = [(33, receive_maximum)] + ([(17, session_expiry)] if session_expiry else [])
        head = _text("MQTT") + bytes([5, flags]) + struct.pack("!H", keepalive) + encode_properties(properties)
        try:
            self._send(CONNECT << 4, head + body)
        except ConnectionError as error:
            raise Refused(0x100, str(error)) from error
        reason = self._answer(CONNACK, "CONNACK")
        if reason >= 0x80:
            raise Refused(reason)

    def _send(self, first, body):
        self._send_bytes(bytes([first]) + _varint(len(body)) + body)

    def _send_bytes(self, data):
        data = memoryview(data)
        with self._sending:
            while data:
                try:
                    with self._lock:
                        data = data[self._socket.send(data):]
                except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
                    select.select([], [self._socket], [], 1)
                except (OSError, ValueError) as error:
                    raise ConnectionError(f"{self.client_id}: {error}") from error

    def _answer(self, key, what, deadline=DEADLINE):
        end = time.monotonic() + deadline
        with self._changed:
            while key not in self._answers:
                if self._closed:
                    if key == CONNACK:
                        raise Refused(0x100)
                    raise ConnectionError(f"{self.client_id}: closed ({self.disconnect_reason}) before {what}")
                if not self._changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    raise Timeout(f"{self.client_id}: no {what} in {deadline} s")
            return self._answers.pop(key)

    def _next_id(self):
        self._packet_id = self._packet_id % 65535 + 1
        return self._packet_id

    def publish_start(self, topic, payload=b"", qos=1, retain=False, properties=()):
        """Sends without waiting; returns the packet id (0 for QoS 0)."""
        data = payload.encode() if isinstance(payload, str) else payload
        packet_id = self._next_id() if qos else 0
        head = _text(topic) + (struct.pack("!H", packet_id) if qos else b"") + encode_properties(properties)
        self._send(PUBLISH << 4 | qos << 1 | (1 if retain else 0), head + data)
        return packet_id

    def publish(self, topic, payload=b"", qos=1, retain=False, properties=()):
        """Returns the PUBACK's reason (None for QoS 0): 0 accepted, 0x10 accepted and nobody listens, 0x87 refused."""
        packet_id = self.publish_start(topic, payload, qos, retain, properties)
        return self.publish_wait(packet_id) if qos else None

    def announce_publish(self, length):
        """The beginning of a PUBLISH of `length` bytes, and none of them."""
        self._send_bytes(bytes([PUBLISH << 4 | 2]) + _varint(length))

    def publish_wait(self, packet_id):
        return self._answer((PUBACK, packet_id), "PUBACK")

    def subscribe(self, *filters, qos=1, options=0):
        """Returns the SUBACK's reasons, one a filter; one number for one filter."""
        packet_id = self._next_id()
        body = struct.pack("!H", packet_id) + b"\0" + b"".join(_text(one) + bytes([qos | options]) for one in filters)
        self._send(SUBSCRIBE << 4 | 2, body)
        reasons = self._answer((SUBACK, packet_id), "SUBACK")
        return reasons if len(filters) > 1 else reasons[0]

    def unsubscribe(self, one):
        packet_id = self._next_id()
        self._send(UNSUBSCRIBE << 4 | 2, struct.pack("!H", packet_id) + b"\0" + _text(one))
        return self._answer((UNSUBACK, packet_id), "UNSUBACK")[0]

    def ping(self):
        """A round trip: what was delivered to this client before the call has been received after it."""
        self._send(PINGREQ << 4, b"")
        self._answer(PINGRESP, "PINGRESP")

    def wait_messages(self, count=1, match=lambda message: True, deadline=DEADLINE):
        """The first messages that match, once there are `count` of them."""
        end = time.monotonic() + deadline
        with self._changed:
            while True:
                found = [message for message in self.messages if match(message)]
                if len(found) >= count:
                    return found
                if self._closed or time.monotonic() >= end:
                    raise Timeout(f"{self.client_id}: {len(found)} of {count} messages")
                self._changed.wait(max(0.0, end - time.monotonic()))

    def wait_closed(self, deadline=DEADLINE):
        """Until the broker ends the connection; returns its DISCONNECT reason (None: none was sent)."""
        end = time.monotonic() + deadline
        with self._changed:
            while not self._closed:
                if not self._changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    raise Timeout(f"{self.client_id}: still connected after {deadline} s")
        return self.disconnect_reason

    def disconnect(self):
        """Clean end: no will."""
        try:
            self._send(DISCONNECT << 4, b"")
        except ConnectionError:
            pass  # already gone
        self.abort()

    def disconnect_with_will(self):
        """Says goodbye and asks for the will all the same (reason 0x04)."""
        self._send(DISCONNECT << 4, b"\x04\x00")
        self.wait_closed()
        self.abort()

    def abort(self):
        """Drops the connection without a DISCONNECT: the broker sends the will."""
        try:
            # Not SSLSocket.shutdown: it forgets the TLS session, and the reader would take ciphertext for packets.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was first
        if threading.current_thread() is not self._reader:
            self._reader.join(DEADLINE)
        self._socket.close()

    def _read_some(self, count):
        while True:
            try:
                with self._lock:
                    return self._socket.recv(count)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                select.select([self._socket], [], [], 1)

    def _read_exact(self, count):
        data = bytearray()
        while len(data) < count:
            part = self._read_some(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return bytes(data)

    def _read_packet(self):
        first = self._read_exact(1)[0]
        length, shift = 0, 0
        while True:
            byte = self._read_exact(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first, self._read_exact(length)

    def _read_loop(self):
        try:
            while True:
                self._handle(*self._read_packet())
        except (OSError, ValueError):
            pass  # the end of the connection, by either side
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()

    def _store(self, key, value):
        with self._changed:
            self._answers[key] = value
            self._changed.notify_all()

    def _handle(self, first, data):
        kind = first >> 4
        if kind == PUBLISH:
            self._on_publish(first, data)
        elif kind == CONNACK:
            self.connack_properties = decode_properties(data, 2)[0] if len(data) > 2 else []
            self._store(CONNACK, data[1])
        elif kind == PUBACK:
            self._store((PUBACK, struct.unpack_from("!H", data)[0]), data[2] if len(data) > 2 else 0)
        elif kind in (SUBACK, UNSUBACK):
            self._store((kind, struct.unpack_from("!H", data)[0]), list(data[decode_properties(data, 2)[1]:]))
        elif kind == PINGRESP:
            self._store(PINGRESP, True)
        elif kind == DISCONNECT:
            self.disconnect_reason = data[0] if data else 0

    def _on_publish(self, first, data):
        qos = first >> 1 & 3
        name, at = _take_text(data, 0)
        if qos:
            packet_id = struct.unpack_from("!H", data, at)[0]
            at += 2
        properties, at = decode_properties(data, at)
        if qos:
            self._send(PUBACK << 4, struct.pack("!H", packet_id))
        with self._changed:
            self.messages.append(Message(name.decode(), data[at:], qos, bool(first & 1), properties))
            self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disconnect()


def user_properties(message, name=None):
    """The user properties of a message in order: pairs, or with `name` the values of that name."""
    pairs = [value for identifier, value in message.properties if identifier == USER]
    return pairs if name is None else [value for key, value in pairs if key == name]
