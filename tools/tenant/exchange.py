"""One connection of a server in this folder: it says nothing by itself, and sends answers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

from tools.tenant.answers import Answer, Asked


class Server(ThreadingHTTPServer):
    """A server on loopback that ends with its process, and is silent about clients that hang up."""

    daemon_threads = True

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Tell of what went wrong here, not of what a client did."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Exchange(BaseHTTPRequestHandler):
    """A connection over HTTP/1.1; each answer with a text leaves in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests are counted instead."""

    def asked(self) -> Asked:
        """Return what was asked for."""
        consistency = self.headers.get("ConsistencyLevel", "")
        return Asked(self.path, self.headers.get("Authorization", ""), consistency)

    def give(self, answer: Answer) -> None:
        """Send an answer."""
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        if answer.parts is None:
            body = answer.body.encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif {"Content-Length", "Connection"} & set(answer.headers):
            self.close_connection = True
            self.end_headers()
            self.wfile.writelines(answer.parts)
        else:
            self._give_chunked(answer.parts)

    def _give_chunked(self, parts: Iterable[bytes]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in filter(None, parts):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")
