#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The inspector's page in a real browser.

    inspector page FOLDER [--update] [--only SCENE]... [--pictures FOLDER]
    inspector program FOLDER [--only SCENE]...

`page` serves the page's files in FOLDER from a server that only speaks the API, and plays every scene. `program` starts
`culvert` and `culvert-edge` of FOLDER, sends them real requests, and plays the scenes that need no fixed times, and those
of what the program itself has to refuse. What a screen reader is told is kept in `kept.txt` beside this program. Prints `{"scenes": [name], "failures": {name: text}, "figures": {name: value}}`.

    --update        keeps what is shown now
    --only          plays this scene alone
    --pictures      writes the pictures of the documentation
"""

import argparse
import json
import os
import sys
import time
import traceback

import pictures
from album import Album
from browser import chromium
from real import RealStage
from scenes import REAL_SCENES, SCENES
from stage import FakeStage

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["page", "program"])
    parser.add_argument("folder")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--pictures")
    options = parser.parse_args()

    played, failures = [], {}
    album = Album(os.path.join(HERE, "kept.txt"), options.update)
    is_page = options.kind == "page"
    scenes = SCENES if is_page else REAL_SCENES
    with chromium(["MAP *.example 127.0.0.1"]) as browser:
        stage = (FakeStage if is_page else RealStage)(browser, options.folder, album)
        for name, scene in scenes.items():
            if options.only and name not in options.only:
                continue
            begin = time.monotonic()
            if failure := play(stage, scene):
                failures[name] = failure
            played.append(name)
            print(f"{name} {'failed' if name in failures else 'ok'}, {time.monotonic() - begin:.1f} s", file=sys.stderr)
        if "kept" in played and "kept" not in failures:
            album.close()
        if options.pictures:
            pictures.take(stage, options.pictures)
        if failures and not is_page:
            print(stage.log(), file=sys.stderr)
        stage.close()
    print(json.dumps({"scenes": played, "failures": failures, "figures": stage.figures}))


def play(stage, scene):
    """Plays one scene in a window of its own; gives what went wrong."""
    made = stage.context()
    window = stage.window(made)
    try:
        stage.prepare()
        scene(stage, window)
        window.close()
        return None
    except Exception:  # The other scenes are worth playing all the same.
        return "\n".join([traceback.format_exc(), *window.complaints])
    finally:
        made.close()


if __name__ == "__main__":
    sys.exit(main())
