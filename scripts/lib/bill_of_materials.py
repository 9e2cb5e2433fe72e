# SPDX-License-Identifier: Apache-2.0
"""The software bill of materials of a release, as CycloneDX 1.5: every package at the version that was built.

    bill_of_materials.py VERSION PACKAGE_RESOLVED
"""

import json
import sys


def component(pin):
    """A pinned package."""
    location, state = pin["location"], pin["state"]
    version = state.get("version") or state["revision"]
    address = location.removeprefix("https://").removesuffix(".git")
    return {
        "type": "library",
        "name": pin["identity"],
        "version": version,
        "purl": f"pkg:swift/{address}@{version}",
        "hashes": [{"alg": "SHA-1", "content": state["revision"]}],
        "externalReferences": [{"type": "vcs", "url": location}],
    }


def main():
    """Prints the document."""
    with open(sys.argv[2], encoding="utf-8") as file:
        pins = json.load(file)["pins"]
    product = {"type": "application", "name": "culvert", "version": sys.argv[1], "bom-ref": "culvert"}
    product["licenses"] = [{"license": {"id": "Apache-2.0"}}]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": product},
        "components": sorted(map(component, pins), key=lambda entry: entry["name"]),
    }
    print(json.dumps(document, indent=2))


main()
