# SPDX-License-Identifier: Apache-2.0
"""Unpacks the layers of an OCI image layout, and sees that every blob has the digest and size that is said of it.

    image_layers.py LAYOUT FOLDER
"""

import hashlib
import io
import json
import pathlib
import sys
import tarfile


def blob(layout, descriptor):
    """The bytes of a descriptor."""
    algorithm, digest = descriptor["digest"].split(":")
    content = (layout / "blobs" / algorithm / digest).read_bytes()
    if hashlib.new(algorithm, content).hexdigest() != digest or len(content) != descriptor["size"]:
        sys.exit(f"{digest} is not what the image says")
    return content


def main():
    """Unpacks, and says what there is."""
    layout, folder = map(pathlib.Path, sys.argv[1:3])
    for entry in json.loads((layout / "index.json").read_text())["manifests"]:
        manifest = json.loads(blob(layout, entry))
        config = json.loads(blob(layout, manifest["config"]))
        for layer, content_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            with tarfile.open(fileobj=io.BytesIO(blob(layout, layer)), mode="r:gz") as tar:
                tar.extractall(folder, filter="tar")
            if not content_id.startswith("sha256:"):
                sys.exit("a layer has no digest")
        settings = config["config"]
        print(f"{entry['annotations']['org.opencontainers.image.ref.name']}: {settings['Entrypoint']} as {settings['User']}")


main()
