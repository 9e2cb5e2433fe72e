#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Apps that nobody here wrote, through the tunnel, judged by Chromium.

    apps check STAGE FOLDER APP…      what works of each app, in each mode: {app: {mode: {passed, failed, notes}}}
    apps tabs STAGE                   whether each request of two apps in one browser reaches its own: {problems, arrived}
    apps strangers STAGE              whether pages of others reach an app by what the edge keeps: {problems, tries}

STAGE is what `stage.py` reads; FOLDER is for what the apps print and keep."""

import importlib
import json
import pathlib
import signal
import sys
import time

import stage
import strangers
import tabs
from visit import Broken, Visit


def visit(checker, browser, place, name, mode, home):
    url = place.url(name, mode, checker.BASE)
    context = browser.new_context()
    app = Visit(context, url, mode, place.certificate, home)
    start = time.monotonic()
    try:
        checker.visit(app)
    except Broken:
        pass
    result = app.result()
    context.close()
    outside = f"{time.monotonic() - start:.1f} s"
    print(f"{name:16} {mode:7} {len(result['passed']):2} passed, {outside}", result["failed"], file=sys.stderr, flush=True)
    return result


def check(browser, place, folder, name, modes):
    """Runs an app as it comes in all modes but `base`, then told its base in that."""
    checker = importlib.import_module(f"checkers.{name.replace('-', '_')}")
    results = {}
    runs = [("", [mode for mode in modes if mode != "base"])]
    if checker.BASE and "base" in modes:
        runs.append((f"/{name}-keep" if checker.BASE == "keep" else f"/{name}", ["base"]))
    for base, wanted in runs:
        home = folder / f"{name}{'-with-base' if base else ''}"
        home.mkdir()
        port = place.ports[name]
        with stage.served(checker.command(port, base, home), port, home / "log", cwd=home):
            for mode in wanted:
                results[mode] = visit(checker, browser, place, name, mode, home)
    return results


def main():
    what, file, *rest = sys.argv[1:]
    place = stage.Stage(file)
    with place.browser() as browser:
        match what:
            case "check":
                folder, *names = rest
                results = {name: check(browser, place, pathlib.Path(folder), name, place.modes) for name in names}
            case "tabs":
                results = tabs.run(browser, place)
            case "strangers":
                results = strangers.run(browser, place)
    print(json.dumps(results, ensure_ascii=False))


# Whoever started us may have blocked signals, and the apps would inherit that.
signal.pthread_sigmask(signal.SIG_SETMASK, [])
main()
