# SPDX-License-Identifier: Apache-2.0
"""Commands of helm in the documents are taken by the chart: for scripts/lib/chart_checks.py."""

import re
import shlex


def check_documents(check, render, root):
    """The values that documents give to helm are rendered."""
    commands = []
    for document in [root / "helm/culvert-edge/README.md", *sorted((root / "docs").glob("*.md"))]:
        lines = document.read_text().replace("\\\n", " ").splitlines()
        commands += [shlex.split(line, comments=True) for line in lines if re.match(r"\s*helm (install|upgrade) .*--set", line)]
    check(len(commands) >= 2, f"only {len(commands)} commands of helm in the documents")
    for words in commands:
        settings = [value for option, value in zip(words, words[1:]) if option == "--set"]
        result = render(*settings)
        check(result.returncode == 0, f"{' '.join(words)}: {result.stderr}")
