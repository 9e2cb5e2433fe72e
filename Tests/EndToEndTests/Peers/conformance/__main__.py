#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the edge to HTTP, byte for byte, with raw sockets at both ends.

    conformance exchanges|smuggling|limits --edge URL --culvert PROGRAM [--visited URL] [--nginx FOLDER] [--inspect]
        [--only TEXT] [--every NUMBER]
    conformance exchanges --edge URL --culvert PROGRAM --traefik URL --origin-port PORT [--everything]

The API key is in CULVERT_API_KEY. With --nginx the exchanges run through nginx as a plain proxy too, for reference.
With --visited the visitors come to that edge, and connectors to the other one. With --every one of so many cases is tried,
some of each kind.

With --traefik the edge's URL is that of a Traefik in front of it, and the other one that of a Traefik which leads to the
origin's port: what passes through Traefik alone has to pass through Traefik and the edge. What does not is Traefik's own
doing, and is tried through both only with --everything. With --inspect the connectors keep what passes, and `captured`
says how many exchanges that are.

Prints `{"edge": {"cases": …, "failures": […]}, "nginx" or "traefik": {"cases": …, "failures": […]}}`.
"""

import argparse
import faulthandler
import json
import sys

import bodies
import connections
import heads
import interim
import limits
import messages
import passwords
import places
import rewriting
import smuggling_requests
import smuggling_responses
import upgrades
import harness
from harness import Failure, Origin

EXCHANGES = [heads, bodies, interim, connections, upgrades, rewriting, passwords]
SMUGGLING = [smuggling_requests, smuggling_responses]
SUITES = {"exchanges": EXCHANGES, "smuggling": SMUGGLING, "limits": [limits]}


def failures_of(cases, origin, find_place):
    """What failed, by the names of the cases."""
    failures = {}
    for case in cases:
        try:
            case.run(origin, find_place(case.tunnel))
        except Failure as failure:
            failures[case.name] = str(failure)
    return failures


def tally(cases, failures):
    return {"cases": len(cases), "failures": [f"{name}: {failure}" for name, failure in failures.items()]}


def hold_to_bytes(arguments, cases):
    """Every byte counts on the way through the edge."""
    origin = Origin()
    tunnels = places.Tunnels(
        arguments.edge, arguments.culvert, origin, visited=arguments.visited, is_inspected=arguments.inspect
    )
    with tunnels:
        result = {"edge": tally(cases, failures_of(cases, origin, tunnels.place))}
        if arguments.inspect:
            result["captured"] = tunnels.captured()
    if arguments.nginx:
        shared = [case for case in cases if not case.edge_only]
        with places.Nginx(arguments.nginx, origin) as nginx:
            harness.PATIENCE = 0.7
            result["nginx"] = tally(shared, failures_of(shared, origin, nginx.place))
    return result


def hold_to_traefik(arguments, cases):
    """What passes through Traefik alone passes through Traefik, the edge and a connector, and says the same."""
    origin = Origin(arguments.origin_port)
    shared = [case for case in cases if not case.edge_only]
    patience, harness.PATIENCE = harness.PATIENCE, 0.7
    alone = failures_of(shared, origin, places.Traefik(arguments.traefik, origin).place)
    harness.PATIENCE = patience
    due = [case for case in cases if case.name not in alone and case.name not in places.BEHIND_TRAEFIK_OTHERWISE]
    with places.Tunnels(arguments.edge, arguments.culvert, origin, messages.by_meaning) as tunnels:
        failures = failures_of(due, origin, tunnels.place)
        # What Traefik does is sometimes a matter of chance: a case fails when it does so twice in a row.
        again = [case for case in due if case.name in failures]
        if again:
            print(f"tried again: {failures}", file=sys.stderr)
            failures = failures_of(again, origin, tunnels.place)
        result = {"traefik": tally(shared, alone), "edge": tally(due, failures)}
        if arguments.everything:
            harness.PATIENCE = 0.7
            rest = [case for case in cases if case not in due]
            result["rest"] = tally(rest, failures_of(rest, origin, tunnels.place))
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--edge", required=True)
    parser.add_argument("--culvert", required=True)
    parser.add_argument("--visited")
    parser.add_argument("--nginx")
    parser.add_argument("--inspect", action="store_true")
    parser.add_argument("--traefik")
    parser.add_argument("--origin-port", type=int)
    parser.add_argument("--everything", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()

    faulthandler.dump_traceback_later(290, exit=True)
    modules = SUITES[arguments.suite]
    cases = [case for module in modules for case in module.CASES if arguments.only in case.name]
    cases = cases[::arguments.every]
    names = [case.name for case in cases]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        sys.exit(f"doubled names: {doubled}")
    hold = hold_to_traefik if arguments.traefik else hold_to_bytes
    print(json.dumps(hold(arguments, cases)))


main()
