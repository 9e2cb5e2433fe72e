# SPDX-License-Identifier: Apache-2.0
"""A FastAPI app with its page of documentation.

    fastapi_docs.py PORT [BASE]

BASE is its `root_path`."""

import sys

import uvicorn
from fastapi import Request
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

app = FastAPIOffline()


@app.get("/double")
def double(n: int = 2):
    return {"twice": 2 * n}


@app.get("/go")
def go(request: Request):
    return RedirectResponse(request.url_for("double"))


@app.get("/slash/")
def slash():
    return {"slash": True}


base = sys.argv[2] if len(sys.argv) > 2 else ""
uvicorn.run(app, host="localhost", port=int(sys.argv[1]), root_path=base, log_level="warning")
