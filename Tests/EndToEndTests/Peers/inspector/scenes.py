# SPDX-License-Identifier: Apache-2.0
"""All scenes by their names."""

import doing
import guard
import looking
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
    "kept": showing.kept,
    "narrow": showing.narrow,
    "contrast": showing.contrast,
    "speed": showing.speed,
}

# Those that hold for any program, and what only the program itself can show.
NEEDS_FAKE = {"modules", "filter-cases", "kept", "contrast"}
REAL_SCENES = {name: scene for name, scene in SCENES.items() if name not in NEEDS_FAKE} | {"guarded": guard.guarded}
