#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of exchanges and of request smuggling as JSON, for runners that are not sockets.

A step is `{"kind": …}` with its members; bytes are lists of Latin-1 texts and `{"repeat": text, "count": n}`.
"""

import dataclasses
import json
import re

import bodies
import connections
import heads
import interim
import rewriting
import smuggling_requests
import smuggling_responses
import upgrades

SUITES = {
    "exchanges": [heads, bodies, interim, connections, upgrades, rewriting],
    "smuggling": [smuggling_requests, smuggling_responses],
}
# What large bodies are made of.
RUN = re.compile(b"(?:" + re.escape(bodies.BYTES) + b"){16,}", re.DOTALL)


def of_bytes(data):
    pieces, position = [], 0
    for run in RUN.finditer(data):
        pieces.append(data[position : run.start()].decode("latin1"))
        pieces.append({"repeat": bodies.BYTES.decode("latin1"), "count": len(run[0]) // len(bodies.BYTES)})
        position = run.end()
    return [piece for piece in pieces + [data[position:].decode("latin1")] if piece]


def of(value):
    match value:
        case bytes():
            return of_bytes(value)
        case list():
            return [of(member) for member in value]
        case _ if dataclasses.is_dataclass(value):
            members = {field.name: of(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return {"kind": type(value).__name__} | {name: member for name, member in members.items() if member is not None}
        case type():
            return {"kind": value.__name__}
        case _:
            return value


def of_step(step):
    return {"kind": "Send", "bytes": of(step)} if isinstance(step, bytes) else of(step)


def of_case(case):
    return {
        "name": case.name,
        "tunnel": case.tunnel,
        "visitor": [of_step(step) for step in case.visitor],
        "origin": [[of_step(step) for step in script] for script in case.scripts()],
        "request": of(case.request),
        "response": of(case.response),
        "comparesRequest": case.compares_request,
        "look": of(case.look),
        "judge": of(case.judge),
    }


print(json.dumps({name: [of_case(case) for module in modules for case in module.CASES] for name, modules in SUITES.items()}))
