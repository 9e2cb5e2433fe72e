#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Senders of webhooks and the app that they are for, around an edge that dies while the connector is away.

    webhooks senders EDGE CULVERT FOLDER COUNT         senders that sign as GitHub, Stripe, Slack and Standard Webhooks do
    webhooks kills EDGE CULVERT FOLDER ROUNDS SENDERS  kill -9 of the edge under senders, then every 202 is delivered
    webhooks rate EDGE CULVERT FOLDER SECONDS PERSECOND SENDERS
    webhooks beside EDGE CULVERT FOLDER SECONDS ROUNDS PERCENT
                                                          what GETs take beside webhooks, in percent of what they take
                                                          beside as many GETs more; 0 for a machine that is not idle
    webhooks full EDGE CULVERT FOLDER                  a file that is full, and then has room again
    webhooks retention EDGE CULVERT FOLDER MEBIBYTES KIBIBYTES MILLISECONDS
                                                          what was delivered goes, while webhooks come, none of which
                                                          waits longer; 0 for a machine that does something else, too
    webhooks file EDGE CULVERT FOLDER                  an inbox of a file of tunnels, which changes
    webhooks edges EDGE CULVERT FOLDER COUNT           three edges that share inboxes, and those that deliver are killed

FOLDER is empty and becomes the edge's. Prints one line of JSON; nothing that is listed under `failures` is to happen.
"""
import json
import sys

from beside import beside
from handing_over import edges, kills, of_file, senders
from keeping import full, rate, retention
from stage import failures

mode, edge_path, culvert_path, place, *numbers = sys.argv[1:]
modes = {"senders": senders, "kills": kills, "rate": rate, "beside": beside, "full": full, "retention": retention,
         "file": of_file, "edges": edges}
result = modes[mode](edge_path, culvert_path, place, *map(int, numbers))
print(json.dumps({**result, "failures": failures[:20]}))
