# SPDX-License-Identifier: Apache-2.0
"""All scenes by their names, in the order in which they are played."""

import calling
import refusals
import serving

SCENES = {
    function.__name__.replace("_", "-"): function
    for module in (serving, calling, refusals)
    for function in module.SCENES
}
