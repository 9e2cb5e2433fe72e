# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, driven by its DevTools protocol."""

import asyncio
import json
import re
import tempfile

import websockets

SECONDS = 60


class Tab:
    """One page of a running browser."""

    def __init__(self, connection):
        self.connection = connection
        self.number = 0
        self.session = None

    async def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        await self.connection.send(json.dumps(message))
        while True:
            answer = json.loads(await asyncio.wait_for(self.connection.recv(), SECONDS))
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    async def evaluate(self, expression):
        return (await self.call("Runtime.evaluate", expression=expression))["result"].get("value")


async def result_of_page(place):
    """Opens the tunnel's page, and returns what its script has found out once it says that it is done."""
    with tempfile.TemporaryDirectory() as profile:
        browser = await asyncio.create_subprocess_exec(
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", f"--host-resolver-rules=MAP *.test {place.address}", "about:blank",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            said = []
            while True:
                line = (await asyncio.wait_for(browser.stderr.readline(), SECONDS)).decode(errors="replace")
                if not line:
                    raise RuntimeError("Chromium ended: " + "".join(said))
                said.append(line)
                if found := re.search(r"DevTools listening on (ws://\S+)", line):
                    break
            async with websockets.connect(found[1], max_size=None) as connection:
                tab = Tab(connection)
                target = (await tab.call("Target.createTarget", url=place.named("/")))["targetId"]
                attached = await tab.call("Target.attachToTarget", targetId=target, flatten=True)
                tab.session = attached["sessionId"]
                async with asyncio.timeout(SECONDS):
                    while await tab.evaluate("document.title") != "done":
                        await asyncio.sleep(0.1)
                return json.loads(await tab.evaluate("document.getElementById('result').textContent"))
        finally:
            browser.kill()
            await browser.wait()
