# SPDX-License-Identifier: Apache-2.0
"""Scenes of commands that end with an error at once."""


def http_refused(stage, album):
    """What ends `culvert http`, with the exit code of each."""
    stage.write("wrong-key.txt", "cvk_wrong")
    with stage.user(80, 40) as shell:
        shell.run("culvert http 3000 --api-key-file wrong-key.txt")
        shell.run("culvert http 3000 --api-key-file nowhere.txt")
        shell.run("culvert http 3000 --name No_Name")
        shell.run(f"culvert http 3000 --no-retry --edge http://127.0.0.1:{stage.silent_port}")
        shell.run(f"culvert http 3000 --edge http://127.0.0.1:{stage.origin.port}")
        shell.run("culvert http 3000 --ca-file nowhere.pem")
        album.take(shell, "a key, a name, an edge")
    with stage.user() as shell:
        shell.run("culvert http 70000")
        shell.run("culvert http ftp://localhost")
        shell.run("culvert http")
        album.take(shell, "a target")
    with stage.shell() as shell:
        shell.run("culvert http 3000")
        shell.run(f"culvert http 3000 --edge {stage.edge.url}")
        shell.run("culvert http 3000 --edge nonsense://")
        shell.run("culvert http 3000 --connections 9")
        album.take(shell, "nothing to go by")


def connect_refused(stage, album):
    """Tokens that are none, or no longer."""
    token = stage.edge.call("POST", "create", {"name": "my-app"})["token"]
    stage.write("token.txt", token)
    stage.write("forged.txt", token[:-8] + "AAAAAAAA")
    stage.write("nonsense.txt", "not a token")
    stage.edge.call("DELETE", "my-app")
    with stage.shell(80, 40) as shell:
        for name in ["token.txt", "forged.txt", "nonsense.txt", "nowhere.txt"]:
            shell.run(f"culvert connect --to 3000 --token-file {name}")
        shell.run("culvert connect --to 3000")
        album.take(shell, "tokens")
    with stage.shell() as shell:
        shell.run("culvert connect --token-file token.txt")
        edge = f"http://127.0.0.1:{stage.silent_port}"
        shell.run(f"culvert connect --to 3000 --token-file token.txt --no-retry --edge {edge}")
        album.take(shell, "no target, no edge")


def start_refused(stage, album):
    """Files that make no sense: everything that is wrong with them at once."""
    stage.write(
        "wrong.yaml",
        """\
edge: http://127.0.0.1:18989
connectoins: 3
connections: 99
tunnels:
  - name: my-app
    target: 70000
  - name: my-app
    target: 3000
    colour: red
  - target: 3001
    origin-tls-verify: perhaps
  - name: nowhere
""",
    )
    stage.write("broken.yaml", "tunnels: [\n  - target: 3000\n")
    stage.write("empty.yaml", "")
    with stage.user(80, 50) as shell:
        shell.run("culvert start --config wrong.yaml")
        shell.run("culvert start --config broken.yaml")
        shell.run("culvert start --config empty.yaml")
        shell.run("culvert start --config nowhere.yaml")
        album.take(shell, "files")
    stage.write("right.yaml", "tunnels:\n  - name: my-app\n    target: 3000\n  - target: localhost:3001\n")
    with stage.user(80, 40) as shell:
        shell.run("culvert config check --config wrong.yaml")
        shell.run("culvert config check --config right.yaml")
        album.take(shell, "only checked")


SCENES = [http_refused, connect_refused, start_refused]
