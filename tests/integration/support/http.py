"""HTTP/1.1 by hand: what is sent is exactly what the test says, what comes back is parsed strictly."""

import json
import re
import socket

from .limits import DEADLINE_SECONDS

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) ?([^\r\n]*)")
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


class ProtocolError(Exception):
    """The peer sent what HTTP does not allow."""


class Response:
    def __init__(self, status, headers):
        self.status = status
        self.headers = headers  # Names in lower case.
        self.body = b""

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


def parse_head(head):
    """A response head without its blank line. A header that comes twice is an error: weir has no reason to."""
    lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(lines[0])
    if not status:
        raise ProtocolError(f"status line {lines[0]!r}")
    headers = {}
    for line in lines[1:]:
        header = _HEADER_LINE.fullmatch(line)
        if not header:
            raise ProtocolError(f"header line {line!r}")
        name = header[1].decode().lower()
        if name in headers:
            raise ProtocolError(f"header {name} twice")
        headers[name] = header[2].decode()
    return Response(int(status[1]), headers)


class ChunkDecoder:
    """Chunked transfer coding (RFC 9112, 7.1) without extensions and trailers, which weir has no reason to send."""

    def __init__(self):
        self._buffer = bytearray()
        self.ended = False

    def feed(self, data):
        """The content of the chunks that are now complete."""
        if self.ended:
            if data:
                raise ProtocolError(f"bytes after the last chunk: {bytes(data[:60])!r}")
            return b""
        buffer = self._buffer
        buffer += data
        content = []
        position = 0
        while True:
            line_end = buffer.find(b"\r\n", position, position + 12)
            if line_end < 0:
                if len(buffer) - position >= 12:
                    raise ProtocolError(f"chunk size {bytes(buffer[position:position + 12])!r}")
                break
            digits = bytes(buffer[position:line_end])
            if not _CHUNK_SIZE.fullmatch(digits):
                raise ProtocolError(f"chunk size {digits!r}")
            size = int(digits, 16)
            start = line_end + 2
            if len(buffer) < start + size + 2:
                break
            if buffer[start + size:start + size + 2] != b"\r\n":
                raise ProtocolError("no CRLF after a chunk")
            position = start + size + 2
            if size == 0:
                self.ended = True
                if len(buffer) > position:
                    raise ProtocolError(f"bytes after the last chunk: {bytes(buffer[position:position + 60])!r}")
                break
            content.append(bytes(buffer[start:start + size]))
        del buffer[:position]
        return b"".join(content)


class Connection:
    """One blocking connection: send() bytes, then response() for each answer, pipelined or not."""

    def __init__(self, port, host="127.0.0.1", source=None):
        self._socket = socket.create_connection((host, port), timeout=DEADLINE_SECONDS,
                                                source_address=(source, 0) if source else None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def half_close(self):
        self._socket.shutdown(socket.SHUT_WR)

    def _receive(self):
        data = self._socket.recv(65536)
        self._buffer += data
        return data

    def _take(self, length):
        while len(self._buffer) < length:
            if not self._receive():
                raise ConnectionError(f"closed within a body: {self._buffer[:200]!r}")
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _take_line(self):
        while b"\r\n" not in self._buffer:
            if not self._receive():
                raise ConnectionError("closed within a line")
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line

    def response(self, is_head=False):
        """The next response; `is_head` for the answer to a HEAD, which has no body."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                raise ConnectionError(f"closed without a response: {self._buffer!r}")
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        response = parse_head(head)
        if is_head or response.status < 200 or response.status in (204, 304):
            return response
        if response.headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(self._take_line(), 16):
                parts.append(self._take(size))
                if self._take(2) != b"\r\n":
                    raise ProtocolError("no CRLF after a chunk")
            if self._take_line() != b"":
                raise ProtocolError("a trailer")
            response.body = b"".join(parts)
        elif "content-length" in response.headers:
            response.body = self._take(int(response.headers["content-length"]))
        else:
            while self._receive():
                pass
            response.body, self._buffer = self._buffer, b""
        return response

    def is_closed_by_peer(self):
        """Waits for the end of the connection; False if bytes come instead."""
        if self._buffer:
            return False
        try:
            return self._receive() == b""
        except ConnectionResetError:
            return True

    def status_or_closed(self):
        """The status of the answer, or None if the peer closed without one."""
        try:
            return self.response().status
        except (ConnectionError, BrokenPipeError):
            return None


def request_bytes(method, target, headers=None, body=None, version="1.1"):
    """A request as it goes over the wire. `headers` may replace Host and Content-Length."""
    fields = {"Host": "localhost"} if version == "1.1" else {}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    fields.update(headers or {})
    lines = [f"{method} {target} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")
