#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three edges of one directory, and what befalls them.

    several_edges rolling EDGE CULVERT FOLDER ROUNDS RATE [1]       all are replaced, one after another, under load;
                                                                    with 1 behind Traefik, else behind nginx
    several_edges killed EDGE CULVERT FOLDER CONNECTIONS RATE       the one with the connector is killed
    several_edges frozen EDGE CULVERT FOLDER CONNECTIONS RATE SECONDS
    several_edges asleep EDGE CULVERT FOLDER LEASE                  one is frozen while nobody asks for anything
    several_edges newcomer EDGE CULVERT FOLDER RATE                 an edge comes beside one with all connections
    several_edges outage EDGE CULVERT FOLDER SECONDS RATE           Redis is killed, frozen, and comes back empty
    several_edges parted EDGE CULVERT FOLDER SECONDS [1]            one edge does not reach Redis, nor the others
    several_edges sentinel EDGE CULVERT FOLDER RATE                 Redis fails over
    several_edges deleted EDGE CULVERT FOLDER                       deletions and policies, and a restart of everything
    several_edges names EDGE CULVERT FOLDER ROUNDS                  races for a name
    several_edges limits EDGE CULVERT FOLDER SECONDS                limits that edges keep together
    several_edges access EDGE CULVERT FOLDER                        access tokens that are ended, and restarts
    several_edges codes EDGE CULVERT FOLDER                         races with one-time codes
    several_edges tls EDGE CULVERT FOLDER                           tunnels of TLS
    several_edges rebalance EDGE CULVERT FOLDER CONNECTORS RATE [FEW MANY CONNECTIONS]
                                                                    a few edges become many
    several_edges ports EDGE CULVERT FOLDER                         ports of tunnels of TCP
    several_edges guesses EDGE CULVERT FOLDER                       wrong keys and passwords
    several_edges strangers EDGE CULVERT FOLDER                     tokens that open no link
    several_edges slow EDGE CULVERT FOLDER COUNT                    a slow way between edges
    several_edges cut EDGE CULVERT FOLDER                           a way between edges that drops everything
    several_edges stuck EDGE CULVERT FOLDER RATE SECONDS            a connector stops behind another edge
    several_edges mixed EDGE CULVERT FOLDER RATE                    edges of an earlier version, and without links
    several_edges guessed EDGE CULVERT FOLDER SECONDS               visitors guess ids
    several_edges resync EDGE CULVERT FOLDER COUNT                  Redis comes back empty, and many tunnels are there
    several_edges beats EDGE CULVERT FOLDER COUNT SECONDS           edges that have nothing to do
    several_edges admission EDGE CULVERT FOLDER COUNT               connectors come while Redis is there, and while it is not
    several_edges large EDGE CULVERT FOLDER MEBIBYTES               large bodies both ways, and readers that are slow
    several_edges guests EDGE CULVERT FOLDER COUNT                  visitors ask for more tunnels than are remembered

RATE is requests a second. FOLDER is empty. Prints one line of JSON; nothing that is listed under `failures` is to
happen. With CULVERT_LONG=1 figures are held to what is promised on a machine that does nothing else.
"""
import asyncio
import json
import sys

from admission import admission
from agreement import deleted, limits, names
from bodies import large
from credentials import access, codes, guesses
from links import cut, guests, mixed, strangers, stuck
from outages import outage, sentinel
from parted import parted
from passthrough import ports, tls
from restarts import asleep, frozen, killed, newcomer, rebalance, rolling
from scale import beats, guessed, resync
from slow import slow
from stage import failures

mode, edge_path, culvert_path, place, *numbers = sys.argv[1:]
modes = {"rolling": rolling, "killed": killed, "frozen": frozen, "newcomer": newcomer, "outage": outage,
         "parted": parted, "sentinel": sentinel, "deleted": deleted, "names": names, "limits": limits,
         "access": access, "codes": codes,
         "guesses": guesses, "tls": tls, "ports": ports, "rebalance": rebalance,
         "strangers": strangers, "slow": slow, "cut": cut, "stuck": stuck, "mixed": mixed, "guests": guests,
         "guessed": guessed, "resync": resync, "beats": beats, "asleep": asleep, "admission": admission,
         "large": large}
result = asyncio.run(modes[mode](edge_path, culvert_path, place, *map(int, numbers)))
print(json.dumps({**result, "failures": failures[:20]}))
