# SPDX-License-Identifier: Apache-2.0
"""A router's UPnP that answers what no miniupnpd does: private addresses, nonsense, other hosts' URLs.

`python3 -m muster_testlib.igd ADDRESS MOOD [VALUE]` prints "ready" and serves on that address of its namespace.
Moods: tell VALUE (as the external address), page (a web page instead of SOAP), elsewhere (control URL on VALUE),
endless (a description without end), silent (accepts, never answers).
"""
import http.server
import itertools
import socket
import socketserver
import struct
import sys
import threading

_GROUP = "239.255.255.250"
_SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
_DEVICE = "urn:schemas-upnp-org:device:{}:1"
_DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>{igd}</deviceType><friendlyName>r</friendlyName><UDN>uuid:1</UDN><deviceList>
<device><deviceType>{wan}</deviceType><UDN>uuid:2</UDN>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANCommonIFC1</serviceId><controlURL>{base}/cif</controlURL><eventSubURL>/e</eventSubURL>
<SCPDURL>/c.xml</SCPDURL></service></serviceList>
<deviceList><device><deviceType>{connection}</deviceType><UDN>uuid:3</UDN>
<serviceList><service><serviceType>{service}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>{base}/ctl</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/c.xml</SCPDURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>
"""
_ANSWER = """<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">
<s:Body><u:{action}Response xmlns:u="{service}">{fields}</u:{action}Response></s:Body></s:Envelope>
"""
_FIELDS = {
    "GetStatusInfo": "<NewConnectionStatus>Connected</NewConnectionStatus><NewLastConnectionError>ERROR_NONE"
                     "</NewLastConnectionError><NewUptime>9</NewUptime>",
    "GetExternalIPAddress": "<NewExternalIPAddress>{value}</NewExternalIPAddress>",
}


class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):  # pylint: disable=invalid-name
        base = f"http://{self.server.value}:80" if self.server.mood == "elsewhere" else ""
        if self.server.mood == "silent":
            threading.Event().wait()
        if self.server.mood == "endless":
            self.send_response(200)
            self.end_headers()
            for _ in itertools.count():
                self.wfile.write(b"<device>" * 1000)
        self.reply(_DESCRIPTION.format(igd=_DEVICE.format("InternetGatewayDevice"), wan=_DEVICE.format("WANDevice"), base=base,
                                       connection=_DEVICE.format("WANConnectionDevice"), service=_SERVICE))

    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers["Content-Length"]))
        action = self.headers["SOAPAction"].strip('"').partition("#")[2]
        if self.server.mood == "page":
            self.reply("<html><body>Your address is 198.41.0.4</body></html>")
        else:
            fields = _FIELDS[action].format(value=self.server.value)
            self.reply(_ANSWER.format(action=action, service=_SERVICE, fields=fields))

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # who has seen enough hangs up


def main():
    address = sys.argv[1]
    server = Server((address, 0), Handler)
    server.mood, server.value = sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ssdp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ssdp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ssdp.bind((_GROUP, 1900))
    ssdp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", *map(socket.inet_aton, (_GROUP, address))))
    print("ready", flush=True)
    while True:
        text, peer = ssdp.recvfrom(4096)
        if text.startswith(b"M-SEARCH"):
            ssdp.sendto((f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {_DEVICE.format('InternetGatewayDevice')}\r\n"
                         f"USN: uuid:1\r\nEXT:\r\nSERVER: x\r\nLOCATION: http://{address}:{server.server_address[1]}/d.xml\r\n\r\n"
                         ).encode(), peer)


if __name__ == "__main__":
    main()
