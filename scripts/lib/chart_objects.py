# SPDX-License-Identifier: Apache-2.0
"""Objects of Kubernetes in what the chart renders, and what is wrong with them: for scripts/lib/chart_checks.py."""

import functools
import json

import kubernetes_validate
import yaml


def objects_of(rendered):
    """The objects of a rendering, in its order."""
    # By libyaml, which is much faster than the reader in Python.
    return [thing for thing in yaml.load_all(rendered.stdout, Loader=yaml.CSafeLoader) if thing]


def fault(thing, version):
    """What the schema of a version of Kubernetes says against an object; None where it is valid."""
    return _fault_of_text(json.dumps(thing, sort_keys=True), version)


@functools.cache
def _fault_of_text(text, version):
    # Most objects are the same in many renderings, and the library reads megabytes of schemas for each call.
    try:
        kubernetes_validate.validate(json.loads(text), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{error.message} at {list(error.path)}"
    return None
