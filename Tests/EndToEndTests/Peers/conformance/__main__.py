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
import concurrent.futures
import contextlib
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


# How many cases go on at once, each with an origin and tunnels of its own: most of a case's time is waited. Those of the
# limits fill tables of the whole edge, and go alone.
SIDE_BY_SIDE = 3


def failures_of(cases, ways, pool):
    """What failed, by the names of the cases.

    A way is an origin and what finds a place; the cases are dealt out to all of them.
    """

    def failures(dealt, origin, find_place):
        found = {}
        for case in dealt:
            try:
                case.run(origin, find_place(case.tunnel))
            except Failure as failure:
                found[case.name] = str(failure)
        return found

    running = [pool.submit(failures, cases[index :: len(ways)], *way) for index, way in enumerate(ways)]
    return {name: failure for each in running for name, failure in each.result().items()}


def tally(cases, failures):
    return {"cases": len(cases), "failures": [f"{name}: {failure}" for name, failure in failures.items()]}


def hold_to_bytes(arguments, cases, pool):
    """Every byte counts on the way through the edge."""
    origins = [Origin() for _ in range(1 if arguments.suite == "limits" else SIDE_BY_SIDE)]
    with contextlib.ExitStack() as programs:
        tunnels = [
            programs.enter_context(
                places.Tunnels(
                    arguments.edge, arguments.culvert, origin, visited=arguments.visited, is_inspected=arguments.inspect
                )
            )
            for origin in origins
        ]
        ways = [(each.origin, each.place) for each in tunnels]
        result = {"edge": tally(cases, failures_of(cases, ways, pool))}
        if arguments.inspect:
            result["captured"] = sum(each.captured() for each in tunnels)
    if arguments.nginx:
        shared = [case for case in cases if not case.edge_only]
        with contextlib.ExitStack() as programs:
            proxies = [
                programs.enter_context(places.Nginx(f"{arguments.nginx}/{index}", origin))
                for index, origin in enumerate(origins)
            ]
            harness.PATIENCE = 0.7
            ways = [(each.origin, each.place) for each in proxies]
            result["nginx"] = tally(shared, failures_of(shared, ways, pool))
    return result


def hold_to_traefik(arguments, cases, pool):
    """What passes through Traefik alone passes through Traefik, the edge and a connector, and says the same."""
    origin = Origin(arguments.origin_port)
    shared = [case for case in cases if not case.edge_only]
    patience, harness.PATIENCE = harness.PATIENCE, 0.7
    alone = failures_of(shared, [(origin, places.Traefik(arguments.traefik, origin).place)], pool)
    harness.PATIENCE = patience
    due = [case for case in cases if case.name not in alone and case.name not in places.BEHIND_TRAEFIK_OTHERWISE]
    with contextlib.ExitStack() as programs:
        origins = [origin] + [Origin() for _ in range(SIDE_BY_SIDE - 1)]
        tunnels = [
            programs.enter_context(places.Tunnels(arguments.edge, arguments.culvert, each, messages.by_meaning))
            for each in origins
        ]
        ways = [(each.origin, each.place) for each in tunnels]
        failures = failures_of(due, ways, pool)
        # What Traefik does is sometimes a matter of chance: a case fails when it does so twice in a row.
        again = [case for case in due if case.name in failures]
        if again:
            print(f"tried again: {failures}", file=sys.stderr)
            failures = failures_of(again, ways, pool)
        result = {"traefik": tally(shared, alone), "edge": tally(due, failures)}
        if arguments.everything:
            harness.PATIENCE = 0.7
            rest = [case for case in cases if case not in due]
            result["rest"] = tally(rest, failures_of(rest, ways, pool))
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
    # A connector ends with the thread that started it, so all threads last as long as this program.
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        print(json.dumps(hold(arguments, cases, pool)))


main()
