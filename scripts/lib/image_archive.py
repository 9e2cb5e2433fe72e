# SPDX-License-Identifier: Apache-2.0
"""An archive of an OCI image, written without a container engine: one layer, and an entry point for each program.

The layer holds the programs, the shared libraries of the building machine that they ask for, and the certificate
authorities; no shell and no package manager. `skopeo copy oci-archive:FILE:culvert-edge docker://…` pushes it, and
`podman load` and `docker load` read it.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile

AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
USER = 65532
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def shared_libraries(programs):
    """The files that the loader needs, by the paths at which it looks for them."""
    found = {}
    for program in programs:
        for line in subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout.splitlines():
            words = line.replace("=>", " ").split()
            path = next((word for word in words if word.startswith("/")), None)
            if path:
                found[path.lstrip("/")] = pathlib.Path(path).read_bytes()
    return found


def layer(programs, texts, epoch):
    """The bytes of the only layer."""
    files = {f"usr/bin/{name}": (0o755, path.read_bytes()) for name, path in programs.items()}
    for path, content in shared_libraries(programs.values()).items():
        # Debian's /lib is a link to /usr/lib; the loader's own path is fixed in the programs.
        files[path] = (0o755, content)
    files["etc/ssl/certs/ca-certificates.crt"] = (0o644, AUTHORITIES.read_bytes())
    files["etc/passwd"] = (0o644, f"culvert:x:{USER}:{USER}::/:/sbin/nologin\n".encode())
    files["etc/group"] = (0o644, f"culvert:x:{USER}:\n".encode())
    files["etc/nsswitch.conf"] = (0o644, b"hosts: files dns\n")
    for path, content in texts.items():
        files[path] = (0o644, content)
    folders = {str(parent) for path in files for parent in pathlib.PurePath(path).parents} - {"."} | {"tmp", "etc/culvert"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(folders | set(files)):
            entry = tarfile.TarInfo(path)
            entry.mtime = epoch
            if path in folders:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if path == "tmp" else 0o755
                tar.addfile(entry)
            else:
                entry.mode, entry.size = files[path][0], len(files[path][1])
                tar.addfile(entry, io.BytesIO(files[path][1]))
    return buffer.getvalue()


class Layout:
    """An OCI image layout in the making (image-spec, image-layout.md)."""

    def __init__(self):
        self.blobs = {}

    def add(self, media_type, content):
        """Keeps a blob, and gives its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def add_json(self, media_type, value):
        """The same for what is JSON."""
        return self.add(media_type, json.dumps(value, sort_keys=True).encode())

    def archive(self, manifests, path, epoch):
        """Writes the archive."""
        files = dict(self.blobs)
        files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
        files["index.json"] = json.dumps(index, sort_keys=True).encode()
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
            for folder in ("blobs", "blobs/sha256"):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, epoch
                tar.addfile(entry)
            for name, content in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(content), 0o644, epoch
                tar.addfile(entry, io.BytesIO(content))


def write(path, programs, texts, version, epoch):
    """Writes the archive of an image for this machine's architecture."""
    layout = Layout()
    content = layer(programs, texts, epoch)
    packed = layout.add("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(content, 9, mtime=0))
    created = subprocess.run(
        ["date", "--utc", f"--date=@{epoch}", "+%Y-%m-%dT%H:%M:%SZ"], check=True, capture_output=True, text=True
    ).stdout.strip()
    architecture = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    manifests = []
    for name, command in (("culvert-edge", ["serve"]), ("culvert", ["--help"])):
        labels = {
            "org.opencontainers.image.title": name,
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.created": created,
        }
        settings = {
            "User": f"{USER}:{USER}",
            "Entrypoint": [f"/usr/bin/{name}"],
            "Cmd": command,
            "Env": ["PATH=/usr/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": labels,
        }
        if name == "culvert-edge":
            settings["ExposedPorts"] = {"8989/tcp": {}}
        config = layout.add_json(
            "application/vnd.oci.image.config.v1+json",
            {
                "architecture": architecture,
                "os": "linux",
                "created": created,
                "config": settings,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
                "history": [{"created": created, "created_by": "scripts/release"}],
            },
        )
        manifest = layout.add_json(
            "application/vnd.oci.image.manifest.v1+json",
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": [packed],
                "annotations": labels,
            },
        )
        manifest["platform"] = {"architecture": architecture, "os": "linux"}
        manifest["annotations"] = {"org.opencontainers.image.ref.name": name}
        manifests.append(manifest)
    layout.archive(manifests, path, epoch)
