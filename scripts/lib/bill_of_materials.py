# SPDX-License-Identifier: Apache-2.0
"""The software bill of materials of a release, as CycloneDX 1.5: every package at the version that was built, and the
libraries of Debian that are linked into the edge.

    bill_of_materials.py VERSION PACKAGE_RESOLVED
"""

import json
import sys

import system_libraries


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


def system_component(name, package):
    """A library that comes with Debian."""
    version = system_libraries.version(package)
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/debian/{package}@{version}",
    }


def main():
    """Prints the document."""
    with open(sys.argv[2], encoding="utf-8") as file:
        pins = json.load(file)["pins"]
    product = {"type": "application", "name": "culvert", "version": sys.argv[1], "bom-ref": "culvert"}
    product["licenses"] = [{"license": {"id": "Apache-2.0"}}]
    components = [component(pin) for pin in pins]
    components += [system_component(name, package) for name, package in system_libraries.LINKED.items()]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": product},
        "components": sorted(components, key=lambda entry: entry["name"]),
    }
    print(json.dumps(document, indent=2))


main()
