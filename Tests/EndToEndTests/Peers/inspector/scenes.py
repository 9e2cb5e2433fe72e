# SPDX-License-Identifier: Apache-2.0
"""All scenes by their names."""

import os

import again
import doing
import guard
import inbox
import looking
import machine
import rules
import showing

SCENES = {
    "modules": rules.modules,
    "filter-cases": rules.filter_cases,
    "long-list": looking.long_list,
    "filters": looking.filters,
    "keyboard": looking.keyboard,
    "secrets": looking.secrets,
    "bodies": looking.bodies,
    "streams": looking.streams,
    "hostile": looking.hostile,
    "send-again": doing.send_again,
    "change": doing.change,
    "many-times": doing.many_times,
    "compared": doing.compared,
    "copying": doing.copying,
    "removing": doing.removing,
    "pausing": doing.pausing,
    "away": doing.away,
    "inbox": inbox.inbox,
    "inbox-hostile": inbox.inbox_hostile,
    "inbox-missing": inbox.inbox_missing,
    "kept": showing.kept,
    "narrow": showing.narrow,
    "contrast": showing.contrast,
    "speed": showing.speed,
}

# Those that hold for any program, and what only the program itself can show.
NEEDS_FAKE = {"modules", "filter-cases", "kept", "contrast", "inbox", "inbox-hostile", "inbox-missing"}
# The page does the same in these whatever is behind it; CULVERT_LONG=1 plays them before the program, too.
SAME_WITH_FAKE = {"long-list", "keyboard", "secrets", "hostile", "compared", "pausing", "narrow", "speed"}
left_out = NEEDS_FAKE if os.environ.get("CULVERT_LONG") else NEEDS_FAKE | SAME_WITH_FAKE
REAL_SCENES = {name: scene for name, scene in SCENES.items() if name not in left_out} | {
    "guarded": guard.guarded,
    "guard-table": machine.guard_table,
    "other-user": machine.other_user,
    "tunnel-to-inspector": machine.tunnel_to_inspector,
    "taken-ports": machine.taken_ports,
    "ngrok-library": machine.ngrok_library,
    "many-pages": machine.many_pages,
    "every-target": again.every_target,
    "signed-anew": again.signed_anew,
    "not-kept": again.not_kept,
    "curl-lines": again.curl_lines,
    "archives": again.archives,
    "edge-answers": machine.edge_answers,
    "inbox-of-the-edge": inbox.real_inbox,
}
