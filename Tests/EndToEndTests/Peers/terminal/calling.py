# SPDX-License-Identifier: Apache-2.0
"""Scenes of the commands that ask and end: tunnels, login, diagnose."""

import os
import stat

from serving import wait_until_online
from session import Failure
from stage import API_KEY


def tunnels(stage, album):
    """Lists, descriptions and the end of a tunnel."""
    with stage.user() as shell:
        shell.run("culvert tunnels list")
        stage.edge.call("POST", "create", {"name": "my-app"})
        stage.edge.call("POST", "create", {"name": "a-much-longer-name-for-an-app"})
        shell.run("culvert tunnels list")
        shell.run("culvert tunnels status my-app")
        album.take(shell, "none, two, one")
    with stage.user() as shell:
        shell.run("culvert tunnels delete my-app")
        shell.run("culvert tunnels status my-app")
        shell.run("culvert tunnels delete my-app")
        shell.run("culvert tunnels list")
        album.take(shell, "deleted")


def tunnels_status_online(stage, album):
    """The description of a tunnel that is served."""
    # An edge numbers its sessions, so that their width depends on what was played before.
    stage.edge.kill()
    stage.edge.start()
    with stage.user() as served, stage.user() as shell:
        served.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(served)
        stage.edge.visit("/my-app/")
        # The edge measures for itself.
        shell.wait(
            "the round trips of the edge",
            lambda _: all(session.get("round_trip_ms") for session in stage.edge.call("GET", "my-app/status")["sessions"]),
        )
        shell.run("culvert tunnels status my-app")
        album.take(shell, "two connections")


def login(stage, album):
    """A wrong key, Ctrl-C instead of a key, Ctrl-Z and then the right one; what is typed stays unseen."""
    with stage.shell(80, 30) as shell:
        for key in ["cvk_wrong_but_not_shown", None, API_KEY]:
            shell.start(f"culvert login --edge {stage.edge.url}")
            shell.wait("the question", lambda screen: screen.endswith("API key:\n"))
            if key is None:
                shell.interrupt()
                shell.finish()
                continue
            if key == API_KEY:
                shell.suspend()
                shell.type("fg\n")
                shell.wait("the question", lambda screen: screen.endswith("API key:\n"))
            shell.type(key + "\n")
            shell.finish()
            if key in shell.window.text():
                raise Failure("the key is on the screen")
        shell.run("culvert tunnels list")
        album.take(shell, "three attempts")
    mode = stat.S_IMODE(os.stat(os.path.join(stage.folder, ".config/culvert/login.json")).st_mode)
    if mode != 0o600:
        raise Failure(f"the login file has the mode {mode:o}")


def diagnose(stage, album):
    """All is well, and what is not given is not tried."""
    stage.write("token.txt", stage.edge.call("POST", "create", {"name": "my-app"})["token"])
    with stage.user() as shell:
        shell.run(f"culvert diagnose --token-file token.txt --to {stage.origin.port}")
        shell.run("culvert diagnose")
        album.take(shell, "all is well")


def diagnose_failures(stage, album):
    """Each kind of failing step with its advice."""
    stage.write("token.txt", stage.edge.call("POST", "create", {"name": "my-app"})["token"])
    stage.edge.call("DELETE", "my-app")
    stage.write("wrong-key.txt", "cvk_wrong")
    with stage.user() as shell:
        shell.run(f"culvert diagnose --to {stage.silent_port}")
        shell.run(f"culvert diagnose --edge http://127.0.0.1:{stage.silent_port}")
        album.take(shell, "no local server, no edge")
    with stage.user() as shell:
        shell.run("culvert diagnose --api-key-file wrong-key.txt")
        shell.run("culvert diagnose --token-file token.txt")
        album.take(shell, "a wrong key, a token that has ended")
    # So wide that no time is where a line breaks.
    with stage.shell(110) as shell:
        shell.run(f"culvert diagnose --edge http://127.0.0.1:{stage.origin.port}")
        shell.run("culvert diagnose")
        album.take(shell, "not an edge, no edge given")


def explained(stage, album):
    """What the program says of itself."""
    with stage.shell(80, 50) as shell:
        shell.run("culvert")
        album.take(shell, "culvert alone")
    with stage.shell(80, 130) as shell:
        shell.run("culvert http --help")
        album.take(shell, "the help of a command")
    with stage.shell() as shell:
        shell.run("culvert htpp 3000")
        album.take(shell, "a command that there is not")


def service(stage, album):
    """A service of the user's own, made and removed."""
    stage.write("tunnels.yaml", "tunnels:\n  - name: my-app\n    target: 3000\n")
    with stage.shell(200) as shell:
        shell.run("culvert service install --user --root root --config tunnels.yaml")
        shell.run("culvert service uninstall --user --root root")
        shell.run("culvert service uninstall --user --root root")
        album.take(shell, "made and removed")


SCENES = [explained, service, tunnels, tunnels_status_online, login, diagnose, diagnose_failures]
