#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of `culvert` at a terminal: each scene types commands and compares what the window shows.

    terminal PROGRAMS SCREENS [--update] [--only SCENE]... [--pictures FILE]

PROGRAMS is the folder with `culvert` and `culvert-edge`, SCREENS the one with the kept screens, a file a scene.
Prints `{"scenes": {name: pictures}, "failures": {name: text}}`.

    --update        keeps what is shown now
    --only          plays this scene alone
    --pictures      writes all screens with their colours, on white and on black, as one page of HTML
"""

import argparse
import json
import sys
import traceback

import pictures
from album import Album
from scenes import SCENES
from stage import Stage


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("screens")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--pictures")
    options = parser.parse_args()

    played, failures, pages = {}, {}, {}
    stage = Stage(options.programs)
    try:
        for name, scene in SCENES.items():
            if options.only and name not in options.only:
                continue
            stage.prepare(name)
            album = Album(options.screens, name, stage.clues(), options.update)
            try:
                stage.edge.delete_all()
                scene(stage, album)
                album.close()
            except Exception as error:  # The other scenes are worth playing all the same.
                failures[name] = str(error) if type(error).__name__ == "Failure" else traceback.format_exc()
            played[name] = album.count
            pages[name] = album.windows
    finally:
        stage.close()
    if options.pictures:
        pictures.write(options.pictures, pages)
    print(json.dumps({"scenes": played, "failures": failures}))


if __name__ == "__main__":
    sys.exit(main())
