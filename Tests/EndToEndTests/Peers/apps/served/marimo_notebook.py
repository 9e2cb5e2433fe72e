# SPDX-License-Identifier: Apache-2.0
"""A marimo notebook."""

import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    slider = mo.ui.slider(0, 100, value=5, label="n")
    slider
    return (slider,)


@app.cell
def _(mo, slider):
    mo.md(f"square is {slider.value**2}")
    return


if __name__ == "__main__":
    app.run()
