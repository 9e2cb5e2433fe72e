# SPDX-License-Identifier: Apache-2.0
"""Checks the shape of the package: folders inside each target, its imports, and the table of modules.

- No two folders of a target mention each other's types (check_folders).
- A target declares the modules that it imports, and imports those that it declares (check_imports).
- EdgeProxy needs none of the packages that only the control API or the configuration need (check_closure).
- No file of EdgeProxy can write what another stores: its stored `var`s are private, at least to set (check_variables).
- The table in docs/architecture.md says what Package.swift says (check_table).

Each check returns a list of faults as text. scripts/check-modules runs them on this package.
"""
import pathlib
import re

# How many mutual pairs of folders a target may have; a target that is not named may have none.
ALLOWED_PAIRS = {}

# What EdgeProxy must be able to do without, whatever it is made of.
KEPT_FROM_EDGE_PROXY = {"Hummingbird", "JWTKit", "Yams"}

# Targets whose state nobody but its owner writes.
OWNED_STATE = {"EdgeProxy"}

# Modules that come with the toolchain and need no declaration.
TOOLCHAIN = {
    "Darwin", "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Musl", "Synchronization", "Swift", "Testing", "XCTest",
    "os",
}

NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|(#*)"""(.*?)"""\1|(#*)"((?:\\.|[^"\\\n])*)"\3', re.DOTALL)
DECLARATION = re.compile(r"\b(?:struct|enum|class|actor|protocol|typealias)\s+([A-Z]\w*)")
# A name behind a dot is a member of something that is itself mentioned: its owner counts, it does not.
MENTION = re.compile(r"(?<![.\w])([A-Z]\w*)")
IMPORT = re.compile(r"^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:package\s+|public\s+|internal\s+)?import\s+"
                    r"(?:struct\s+|enum\s+|class\s+|protocol\s+|func\s+)?(\w+)", re.MULTILINE)


def code_of(source):
    """The source without comments and without the text of strings; what is interpolated into them stays."""
    def replace(match):
        text = match.group(2) or match.group(4)
        return " " if text is None else " ".join(interpolations(text))
    return NOT_CODE.sub(replace, source)


def interpolations(text):
    """What stands between \\( and its closing parenthesis."""
    found = []
    for match in re.finditer(r"\\#*\(", text):
        depth, index = 1, match.end()
        while index < len(text) and depth > 0:
            depth += {"(": 1, ")": -1}.get(text[index], 0)
            index += 1
        found.append(text[match.end():index - 1])
    return found


def declarations(code):
    """The types that a file declares: those at its top level that others can see, and all others."""
    top, nested = set(), set()
    depth, index = 0, 0
    for match in DECLARATION.finditer(code):
        depth += code.count("{", index, match.start()) - code.count("}", index, match.start())
        index = match.start()
        line = code[code.rfind("\n", 0, match.start()) + 1:match.start()]
        if re.search(r"\bclass\s*$", line) or re.search(r"\bimport\b", line):
            continue
        is_private = re.search(r"\b(?:private|fileprivate)\b", line)
        (top if depth == 0 and not is_private else nested).add(match.group(1))
    return top, nested


class Target:
    """A target with its files; `folder` of a file is its first folder below the target, or `.`."""

    def __init__(self, root, name, path, dependencies=(), products=(), exclude=(), sources=(), kind="regular"):
        self.name, self.path, self.kind = name, path, kind
        self.dependencies, self.products = set(dependencies), set(products)
        self.files = {}
        base = pathlib.Path(root) / path
        for file in sorted(base.rglob("*.swift")):
            relative = file.relative_to(base)
            if any(is_below(relative, entry) for entry in exclude):
                continue
            if sources and not any(is_below(relative, entry) for entry in sources):
                continue
            folder = relative.parts[0] if len(relative.parts) > 1 else "."
            self.files[file] = (folder, file.read_text())


def is_below(path, entry):
    entry = pathlib.PurePath(entry)
    return path == entry or entry in path.parents


def mutual_pairs(target):
    """The pairs of folders that mention each other, each with one mention of either direction."""
    declared_in, own = {}, {}
    codes = {}
    for file, (folder, source) in target.files.items():
        codes[file] = code_of(source)
        top, nested = declarations(codes[file])
        own[file] = top | nested
        for name in top:
            declared_in.setdefault(name, set()).add(folder)
    mentions = {}
    for file, (folder, _) in target.files.items():
        for name in MENTION.findall(codes[file]):
            folders = declared_in.get(name, ())
            # A name that two folders declare, or that the file declares itself, says nothing of a third folder.
            if name in own[file] or len(folders) != 1 or folder in folders:
                continue
            mentions.setdefault((folder, next(iter(folders))), f"{file.name} mentions {name}")
    return {
        (one, other): (mentions[one, other], mentions[other, one])
        for one, other in sorted(mentions) if one < other and (other, one) in mentions
    }


def check_folders(targets, allowed=None):
    """No target has more mutual pairs of folders than it may have."""
    allowed = ALLOWED_PAIRS if allowed is None else allowed
    faults = []
    for target in targets:
        if target.kind == "test":
            continue
        pairs = mutual_pairs(target)
        limit = allowed.get(target.name, 0)
        if len(pairs) > limit:
            faults.append(f"{target.name}: {len(pairs)} pairs of folders mention each other, {limit} allowed")
            for (one, other), (there, back) in pairs.items():
                faults.append(f"  {one} and {other}: in {one}, {there}; in {other}, {back}")
    for name in sorted(set(allowed) - {target.name for target in targets}):
        faults.append(f"{name} has an allowance of mutual pairs and is no target")
    return faults


def check_imports(targets):
    """What is imported is declared, and the other way round."""
    faults = []
    for target in targets:
        imported = set()
        for _, source in target.files.values():
            imported |= set(IMPORT.findall(code_of(source)))
        imported -= TOOLCHAIN
        declared = target.dependencies | target.products
        for name in sorted(imported - declared - {target.name}):
            faults.append(f"{target.name} imports {name}, which Package.swift does not declare for it")
        for name in sorted(declared - imported):
            faults.append(f"{target.name} declares {name} in Package.swift and never imports it")
    return faults


def closure(targets, name):
    """All products that a target needs, through whatever targets."""
    by_name = {target.name: target for target in targets}
    seen, waiting, products = set(), [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen or current not in by_name:
            continue
        seen.add(current)
        products |= by_name[current].products
        waiting += by_name[current].dependencies
    return products


def check_closure(targets, name="EdgeProxy", forbidden=frozenset(KEPT_FROM_EDGE_PROXY)):
    """The target reaches none of the products."""
    return [f"{name} needs {product}" for product in sorted(closure(targets, name) & forbidden)]


VARIABLE = re.compile(r"^(?:[^\n\"]*\s)?var\s+(\w+)")
TYPE_OPENING = re.compile(r"\b(?:struct|enum|class|actor|protocol|extension)\s+[\w.]+[^{}()]*$")
PRIVATE = re.compile(r"\b(?:private|fileprivate)\b")


def open_variables(source):
    """The stored `var`s of types that another file could write."""
    code = code_of(source)
    found = []
    # For each open brace: whether a type's members are in it, and whether nobody else sees the type.
    scopes = [(True, False)]
    start = 0
    for index, character in enumerate(code):
        if character not in "{}\n":
            continue
        line = code[start:index]
        is_member, is_hidden = scopes[-1]
        variable = VARIABLE.match(line.strip()) if is_member and not is_hidden else None
        if character == "{":
            # What follows the brace is an accessor, an observer, or the closure of an initial value.
            begins = code[index + 1:index + 80].lstrip()
            is_stored = "=" in line or begins.startswith(("didSet", "willSet"))
            if variable and is_stored and not PRIVATE.search(line):
                found.append(variable.group(1))
            opening = TYPE_OPENING.search(line)
            hides = bool(opening and PRIVATE.search(line))
            scopes.append((bool(opening), is_hidden or hides))
        else:
            if variable and not PRIVATE.search(line):
                found.append(variable.group(1))
            if character == "}" and len(scopes) > 1:
                scopes.pop()
        start = index + 1
    return found


def check_variables(targets, owned=frozenset(OWNED_STATE)):
    """What a file of these targets stores, no other file can write: it is constant, or private at least to set."""
    return [
        f"{target.name}: {file.name} stores {name}, which other files can write"
        for target in targets if target.name in owned
        for file, (_, source) in target.files.items()
        for name in open_variables(source)
    ]


def table_rows(document):
    """The rows of the table of modules: name, folder, imports."""
    rows = []
    for line in document.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[1].startswith(("`Sources/", "`Tests/")):
            imports = set() if cells[3] == "none" else {name.strip(" `") for name in cells[3].split(",")}
            rows.append((cells[0].strip("`"), cells[1].strip("`"), imports))
    return rows


def check_table(targets, document):
    """The table has one row for each target that is no test, with its folder and its imports of ours."""
    wanted = {t.name: (t.path, t.dependencies) for t in targets if t.kind != "test"}
    rows = table_rows(document)
    faults = []
    for name, folder, imports in rows:
        if name not in wanted:
            faults.append(f"docs/architecture.md: {name} is no target")
            continue
        path, dependencies = wanted[name]
        if folder != path:
            faults.append(f"docs/architecture.md: {name} is in {path}, not in {folder}")
        if imports != dependencies:
            faults.append(f"docs/architecture.md: {name} imports {', '.join(sorted(dependencies)) or 'none'}")
    for name in sorted(wanted):
        count = sum(row[0] == name for row in rows)
        if count != 1:
            faults.append(f"docs/architecture.md: {name} has {count} rows in the table of modules")
    return faults


def targets_of(root, dump):
    """The targets of `swift package dump-package`."""
    targets = []
    for entry in dump["targets"]:
        dependencies, products = set(), set()
        for dependency in entry["dependencies"]:
            if "product" in dependency:
                products.add(dependency["product"][0])
            else:
                dependencies.add((dependency.get("byName") or dependency["target"])[0])
        folder = "Tests" if entry["type"] == "test" else "Sources"
        targets.append(Target(
            root, entry["name"], entry.get("path") or f"{folder}/{entry['name']}", dependencies, products,
            entry.get("exclude") or (), entry.get("sources") or (), entry["type"],
        ))
    return targets
