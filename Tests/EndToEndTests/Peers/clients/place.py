# SPDX-License-Identifier: Apache-2.0
"""Where a client finds the tunnel, in path and in host mode."""

import dataclasses


@dataclasses.dataclass
class Place:
    """A tunnel's address for visitors."""

    # The host and port that are dialled.
    address: str
    port: int
    # The host that the tunnel has for itself, or nothing in path mode.
    host: str | None
    # What comes before each path, without a slash at the end.
    prefix: str

    @property
    def mode(self):
        return "host mode" if self.host else "path mode"

    def url(self, path, scheme="http"):
        """For clients that dial what the URL says; they send `headers` along."""
        return f"{scheme}://{self.address}:{self.port}{self.prefix}{path}"

    @property
    def authority(self):
        return f"{self.host or self.address}:{self.port}"

    @property
    def headers(self):
        return {"Host": self.authority} if self.host else {}

    def named(self, path, scheme="http"):
        """For clients that can be told where a name is."""
        return f"{scheme}://{self.authority}{self.prefix}{path}"
