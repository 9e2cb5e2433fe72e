# SPDX-License-Identifier: Apache-2.0
"""Where the tunnels of the apps are, as the test that starts edge and connector says it in a file of JSON:

    {"edge": "https://edge.test:8443", "domain": "tunnels.test", "certificate": FILE, "key": FILE, "ports": {APP: PORT, …},
     "modes": [MODE, …]}

For each app there are three tunnels to its port: APP, APP-keep with `path_mode: keep`, and APP-root with `path_mode:
root`. Every name below `.test` is 127.0.0.1."""

import base64
import contextlib
import hashlib
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.parse

from playwright.sync_api import sync_playwright

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent))
from chromium import EXECUTABLE  # noqa: E402

look_up = socket.getaddrinfo


def look_up_test_names(host, *rest, **named):
    return look_up("127.0.0.1" if isinstance(host, str) and host.endswith(".test") else host, *rest, **named)


# For programs that are no browsers: Chromium is told by a flag.
socket.getaddrinfo = look_up_test_names


class Stage:
    def __init__(self, file):
        told = json.loads(pathlib.Path(file).read_text())
        self.edge = told["edge"].rstrip("/")
        self.domain = told["domain"]
        self.certificate, self.key = told["certificate"], told["key"]
        self.ports = told["ports"]
        self.modes = told["modes"]
        self.port = urllib.parse.urlsplit(self.edge).port

    def path_url(self, tunnel):
        return f"{self.edge}/{tunnel}/"

    def host_url(self, tunnel):
        return f"https://{tunnel}.{self.domain}:{self.port}/"

    def url(self, app, mode, base):
        """The URL of an app in a mode, with a slash at the end.

        `base` is the path mode that the app's own setting goes with."""
        if mode == "direct":
            return f"http://localhost:{self.ports[app]}/"
        if mode == "host":
            return self.host_url(app)
        if mode == "root":
            return self.path_url(f"{app}-root")
        return self.path_url(f"{app}-keep" if mode == "base" and base == "keep" else app)

    @contextlib.contextmanager
    def browser(self):
        """Chromium, which trusts the certificate and none else."""
        arguments = [
            "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP *.test 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={public_key_digest(self.certificate)}",
        ]  # fmt: skip
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=arguments)
            try:
                yield browser
            finally:
                browser.close()


def public_key_digest(certificate):
    """What Chromium calls a certificate by: the SHA-256 of its public key, in base 64."""
    command = ["openssl", "x509", "-in", certificate, "-noout", "-pubkey"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    key = base64.b64decode("".join(line for line in lines if not line.startswith("-----")))
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def accepts_connections(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("localhost", port), 1).close()
        return True
    return False


def wait_until(condition, what, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} took longer than {seconds} s")
        time.sleep(0.05)


@contextlib.contextmanager
def served(command, port, log, **options):
    """Runs a server until it is no longer needed; what it prints goes to a file."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **options
        )
    try:

        def ready():
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended: {pathlib.Path(log).read_text(errors='replace')[-2000:]}")
            return accepts_connections(port)

        wait_until(ready, f"the start of {command}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        wait_until(lambda: not accepts_connections(port), f"the end of {command}")


def program(name, package=None):
    """A program of our own, for the Python that runs this or for that of a package with an environment of its own."""
    return [tool(package, "python") if package else sys.executable, str(HERE / "served" / f"{name}.py")]


def tool(package, name=None):
    """A program of a package that has an environment of its own, beside this one's."""
    environments = pathlib.Path(sys.prefix).parent / ".venv-apps-long"
    return str(environments / package / "bin" / (name or package))
