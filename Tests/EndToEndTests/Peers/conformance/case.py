# SPDX-License-Identifier: Apache-2.0
"""A case: what both ends do, and what each must be sent for it."""

import dataclasses
import typing

from harness import GRACE, AtOrigin, Body, Failure, Until, differing, without_added, without_date


@dataclasses.dataclass
class Case:
    """What is left out of `request` and `response` follows from what the other end sends, byte for byte."""

    name: str
    # The visitor's steps; the origin's, or one list of steps a connection.
    visitor: list
    origin: list
    # What must reach the origin, all connections one after the other, but for what the edge adds.
    request: bytes | None = None
    # What must reach the visitor.
    response: bytes | None = None
    # Which tunnel, see __main__.py.
    tunnel: str = "path"
    # A case about what the edge adds to HTTP, which no plain proxy does.
    edge_only: bool = False
    # Whether what reaches the origin is compared: how much of a slow body does depends on when it is cut.
    compares_request: bool = True
    # Looks at what the origin got, as it came, and raises Failure.
    look: typing.Callable | None = None
    # Looks at what the visitor got instead of comparing it.
    judge: typing.Callable | None = None

    def scripts(self):
        nested = self.origin and isinstance(self.origin[0], list)
        return self.origin if nested else [self.origin] if self.origin else []

    def expected_request(self, place):
        if self.request is not None:
            return place.fill(self.request)
        sent = b"".join(step for step in self.visitor if isinstance(step, bytes))
        return place.fill(sent.replace(b"{base}", b"").replace(b"{host}", b"{origin}"))

    def expected_response(self, place):
        if self.response is not None:
            return place.fill(self.response)
        return place.fill(b"".join(step for script in self.scripts() for step in script if isinstance(step, bytes)))

    def run(self, origin, place):
        """Raises Failure."""
        origin.begin([[place.fill_step(step) for step in script] for script in self.scripts()])
        end = place.connect()
        try:
            for step in self.visitor:
                try:
                    if isinstance(step, AtOrigin):
                        origin.reached(step.what)
                    else:
                        end.take(place.fill_step(step))
                except Failure as failure:
                    raise Failure(f"visitor: {failure}; origin: {origin.state()}") from None
            self._compare_response(end, place)
            origin.finish()
            self._compare_request(origin, place)
        finally:
            end.close()
            origin.close()

    def _compare_response(self, end, place):
        if self.judge:
            return self.judge(end, place)
        expected = place.allow(self.expected_response(place))
        arrived = lambda: place.allow(without_date(bytes(end.received), expected))
        try:
            end.wait("the response", lambda: len(arrived()) >= len(expected) or end.ended)
            end.wait("nothing", lambda: len(arrived()) > len(expected), GRACE)
        except Failure:
            pass
        if arrived() != expected:
            raise differing(f"the response ({end.ended or 'which goes on'})", expected, arrived())

    def _compare_request(self, origin, place):
        received = b"".join(bytes(end.received) for end in origin.ends)
        expected = place.allow(self.expected_request(place))
        arrived = place.allow(without_added(received))
        if self.compares_request and arrived != expected:
            raise differing("the request", expected, arrived)
        if self.look:
            self.look(received, place)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(target=b"/", fields=b"", method=b"GET"):
    """A request without a body."""
    return method + b" {base}" + target + b" HTTP/1.1\r\nHost: {host}\r\n" + fields + b"\r\n"


def post(body, fields=b"", method=b"POST"):
    """A request with a length."""
    return get(b"/", b"Content-Length: %d\r\n" % len(body) + fields, method) + body


def chunked(body, fields=b"", method=b"POST"):
    """A request in chunks; `body` has their framing."""
    return get(b"/", b"Transfer-Encoding: chunked\r\n" + fields, method) + body


def answer(body=b"ok", fields=b"", status=b"200 OK"):
    """A response with a length."""
    return b"HTTP/1.1 " + status + b"\r\n" + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


def reading(body):
    """The origin's steps for a request with that body."""
    return [Until(b"\r\n\r\n"), Body(len(body))]
