# SPDX-License-Identifier: Apache-2.0
"""The files of a release, from two programs that have been built: called by scripts/release.

    release_files.py VERSION PROGRAMS CHECKOUTS DIST

Writes a tarball, a Debian package for each program, an archive of an image with both entry points and the chart's
archive. The same programs make the same bytes: nothing has a time, an owner or an order of the machine.
SOURCE_DATE_EPOCH is the time that everything bears.
"""

import gzip
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import image_archive
import program_hashes
import system_libraries

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "scripts" / "packaging"
EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
PROGRAMS = ["culvert", "culvert-edge"]
MAINTAINER = "Culvert developers <culvert@packages.invalid>"
SUMMARIES = {
    "culvert": (
        "give a local web server a public URL",
        "The connector of Culvert, a self-hosted tunnel: it runs beside a web server\n"
        " and keeps a WebSocket or two open to an edge, through which visitors come.",
    ),
    "culvert-edge": (
        "serve tunnels to local web servers",
        "The server of Culvert, a self-hosted tunnel: it runs where the internet can\n"
        " reach it, and leads visitors to the web servers of connectors.",
    ),
}


def run(*command, **options):
    """Runs a command, which has to succeed, and gives what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def licences(checkouts):
    """The licences and notices of everything that is built into the programs."""
    resolved = ROOT / "Package.resolved"
    if not resolved.exists():
        sys.exit("Package.resolved is missing, which says what was built: run `swift package resolve`")
    pins = json.loads(resolved.read_text())["pins"]
    parts = ["What is built into culvert and culvert-edge, and under which terms.\n"]
    for pin in sorted(pins, key=lambda pin: pin["identity"]):
        folder = checkouts / pathlib.PurePath(pin["location"]).name.removesuffix(".git")
        files = sorted(file for file in folder.iterdir() if re.match(r"(LICEN[CS]E|NOTICE)", file.name, re.IGNORECASE))
        if not files:
            sys.exit(f"{pin['identity']} has no file with its licence")
        for file in files:
            title = f"{pin['identity']} {pin['state'].get('version', '')}, {file.name} ({pin['location']})"
            parts.append(f"{'=' * 78}\n{title}\n{'=' * 78}\n\n{file.read_text().strip()}\n")
    for name, package in system_libraries.LINKED.items():
        title = f"{name}, of Debian's {package} {system_libraries.version(package)}"
        parts.append(f"{'=' * 78}\n{title}\n{'=' * 78}\n\n{system_libraries.licence(package)}\n")
    return "\n".join(parts)


def write(path, text, mode=0o644):
    """Writes a file, with the folders on its way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def compress(text):
    """A text as gzip -9n has it."""
    return gzip.compress(text.encode(), 9, mtime=0)


def completions(program):
    """Where each shell looks for completions, and what it finds there."""
    text = {shell: run(str(STAGED / program), "--generate-completion-script", shell) for shell in ("bash", "zsh", "fish")}
    return {
        # Sourced, and never run: the line that names an interpreter has no meaning there.
        f"bash-completion/completions/{program}": text["bash"].removeprefix("#!/bin/bash\n"),
        f"zsh/vendor-completions/_{program}": text["zsh"],
        f"fish/vendor_completions.d/{program}.fish": text["fish"],
    }


def pack(folder, archive, base):
    """Packs a folder, in an order and with owners and times that say nothing of this machine."""
    with open(archive, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted([folder, *folder.rglob("*")]):
                entry = tar.gettarinfo(path, str(pathlib.PurePath(base) / path.relative_to(folder)))
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = "root"
                entry.mtime = EPOCH
                entry.mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
                with path.open("rb") if path.is_file() else io.BytesIO() as content:
                    tar.addfile(entry, content if path.is_file() else None)


# What the README leads to, and where that leads to; DocumentedLinksTests finds what is missing here, and what nothing leads to.
DOCUMENTS = (
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "compose.yaml", "docs", "examples", "helm",
)  # fmt: skip


def tarball(version, machine, texts, dist):
    """One archive with everything, to be unpacked below /usr/local or anywhere."""
    name = f"culvert-{version}-{machine}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / name
        for program in PROGRAMS:
            (folder / "bin").mkdir(parents=True, exist_ok=True)
            shutil.copy(STAGED / program, folder / "bin" / program)
            write(folder / "share/man/man1" / f"{program}.1", texts["manual"][program])
            for path, text in completions(program).items():
                write(folder / "share" / path, text)
        unit = (PACKAGING / "culvert-edge.service").read_text()
        write(folder / "share/systemd/culvert-edge.service", unit.replace("/usr/bin/", "/usr/local/bin/"))
        write(folder / "share/examples/edge.yaml", (PACKAGING / "edge.yaml").read_text())
        for file in run("git", "-C", str(ROOT), "ls-files", "--error-unmatch", *DOCUMENTS).splitlines():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file)
        write(folder / "LICENSES.txt", texts["licences"])
        write(folder / "culvert.cdx.json", texts["materials"])
        pack(folder, dist / f"{name}.tar.gz", name)


# The first field is the name of the format, which Debian has made an address.
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Culvert
Source: the repository that this package was built from

Files: *
Copyright: 2026 the authors of Culvert
License: Apache-2.0
Comment:
 What is built into the program, whose it is and under which terms, is in
 LICENSES.txt.gz beside this file.

License: Apache-2.0
 On Debian systems the text of this licence is in
 /usr/share/common-licenses/Apache-2.0.
"""


def package(program, version, texts, dist):
    """A Debian package of one program."""
    architecture = run("dpkg", "--print-architecture").strip()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / program
        (folder / "usr/bin").mkdir(parents=True)
        shutil.copy(STAGED / program, folder / "usr/bin" / program)
        share = folder / "usr/share"
        files = {f"man/man1/{program}.1.gz": compress(texts["manual"][program])}
        stamp = run("date", "--utc", "--rfc-email", f"--date=@{EPOCH}").strip()
        files[f"doc/{program}/changelog.gz"] = compress(
            f"{program} ({version}) unstable; urgency=medium\n\n  * The changes are in CHANGELOG.md.\n\n"
            f" -- {MAINTAINER}  {stamp}\n"
        )
        files[f"doc/{program}/LICENSES.txt.gz"] = compress(texts["licences"])
        files[f"doc/{program}/CHANGELOG.md.gz"] = compress((ROOT / "CHANGELOG.md").read_text())
        for path, content in files.items():
            (share / path).parent.mkdir(parents=True, exist_ok=True)
            (share / path).write_bytes(content)
        write(share / f"doc/{program}/copyright", COPYRIGHT)
        overrides = (PACKAGING / "lintian-overrides").read_text().replace("PACKAGE", program)
        write(share / f"lintian/overrides/{program}", overrides)
        depends = libraries(folder / "usr/bin" / program)
        for path, text in completions(program).items():
            write(share / path, text)
        if program == "culvert-edge":
            depends += ", adduser, init-system-helpers (>= 1.54~)"
            write(folder / f"lib/systemd/system/{program}.service", (PACKAGING / f"{program}.service").read_text())
            write(folder / "etc/culvert/edge.yaml", (PACKAGING / "edge.yaml").read_text())
            write(folder / "DEBIAN/conffiles", "/etc/culvert/edge.yaml\n")
            for script in ("postinst", "prerm", "postrm"):
                write(folder / "DEBIAN" / script, (PACKAGING / f"{program}.{script}").read_text(), 0o755)
        summary, description = SUMMARIES[program]
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1024
        write(
            folder / "DEBIAN/control",
            f"Package: {program}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n"
            f"Installed-Size: {size}\nDepends: {depends}\nRecommends: ca-certificates\nSection: net\n"
            f"Priority: optional\nDescription: {summary}\n {description}\n",
        )
        sums = "".join(
            f"{run('md5sum', str(path)).split()[0]}  {path.relative_to(folder)}\n"
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "DEBIAN" not in path.parts
        )
        write(folder / "DEBIAN/md5sums", sums)
        for path in folder.rglob("*"):
            if path.is_dir() or path.stat().st_mode & 0o100:
                path.chmod(0o755)
        target = dist / f"{program}_{version}_{architecture}.deb"
        run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(folder), str(target))


def libraries(program):
    """What a program asks of the system, as dpkg-shlibdeps finds it."""
    with tempfile.TemporaryDirectory() as scratch:
        write(pathlib.Path(scratch) / "debian/control", "Source: culvert\n\nPackage: culvert\nArchitecture: any\n")
        line = run("dpkg-shlibdeps", "-O", "--ignore-missing-info", str(program), cwd=scratch)
    return line.strip().removeprefix("shlibs:Depends=")


def chart(version, dist):
    """The chart's archive, as helm package names it."""
    pack(ROOT / "helm" / "culvert-edge", dist / f"culvert-edge-{version}.tgz", "culvert-edge")


def main():
    """Writes everything."""
    version, programs, checkouts, dist = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
    for program in PROGRAMS:
        shutil.copy(programs / program, STAGED / program)
        run("strip", "--strip-all", "--remove-section=.comment", "--remove-section=.note", str(STAGED / program))
        program_hashes.settle(STAGED / program)
        (STAGED / program).chmod(0o755)
    texts = {
        "manual": {program: run(str(STAGED / program), "manual") for program in PROGRAMS},
        "licences": licences(checkouts),
        "materials": run(sys.executable, str(ROOT / "scripts/lib/bill_of_materials.py"), version, str(ROOT / "Package.resolved")),
    }
    system, _, _, _, hardware = os.uname()
    tarball(version, f"{system.lower()}-{hardware}", texts, dist)
    for program in PROGRAMS:
        package(program, version, texts, dist)
    image_archive.write(
        dist / f"culvert-{version}-{system.lower()}-{hardware}.oci.tar",
        {program: STAGED / program for program in PROGRAMS},
        {"usr/share/doc/culvert/LICENSES.txt": texts["licences"].encode()},
        version,
        EPOCH,
    )
    chart(version, dist)
    (dist / f"culvert-{version}.cdx.json").write_text(texts["materials"])


with tempfile.TemporaryDirectory() as staging:
    STAGED = pathlib.Path(staging)
    main()
