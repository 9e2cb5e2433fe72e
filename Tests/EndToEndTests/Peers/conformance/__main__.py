#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the edge to HTTP, byte for byte, with raw sockets at both ends.

    conformance exchanges|smuggling|limits --edge URL --culvert PROGRAM [--nginx FOLDER] [--only TEXT]

The API key is in CULVERT_API_KEY. With --nginx the exchanges run through nginx as a plain proxy too, for reference.
Prints `{"edge": {"cases": …, "failures": […]}, "nginx": {"cases": …, "failures": […]}}`.
"""

import argparse
import faulthandler
import json
import sys
import urllib.parse

import bodies
import connections
import heads
import interim
import limits
import places
import rewriting
import smuggling_requests
import smuggling_responses
import upgrades
import harness
from harness import Failure, Origin

EXCHANGES = [heads, bodies, interim, connections, upgrades, rewriting]
SMUGGLING = [smuggling_requests, smuggling_responses]
SUITES = {"exchanges": EXCHANGES, "smuggling": SMUGGLING, "limits": [limits]}


def run(cases, origin, find_place, allow=lambda message: message):
    failures = []
    for case in cases:
        try:
            case.run(origin, find_place(case.tunnel), allow)
        except Failure as failure:
            failures.append(f"{case.name}: {failure}")
    return {"cases": len(cases), "failures": failures}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--edge", required=True)
    parser.add_argument("--culvert", required=True)
    parser.add_argument("--nginx")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()

    faulthandler.dump_traceback_later(150, exit=True)
    modules = SUITES[arguments.suite]
    cases = [case for module in modules for case in module.CASES if arguments.only in case.name]
    names = [case.name for case in cases]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        sys.exit(f"doubled names: {doubled}")

    origin = Origin()
    edge = urllib.parse.urlsplit(arguments.edge)
    address = (edge.hostname, edge.port)
    with places.Tunnels(arguments.edge, address, arguments.culvert, origin) as tunnels:
        result = {"edge": run(cases, origin, tunnels.place)}
    if arguments.nginx:
        with places.Nginx(arguments.nginx, origin) as nginx:
            shared = [case for case in cases if not case.edge_only]
            harness.PATIENCE = 0.7
            result["nginx"] = run(shared, origin, nginx.place, places.Nginx.allow)
    print(json.dumps(result))


main()
