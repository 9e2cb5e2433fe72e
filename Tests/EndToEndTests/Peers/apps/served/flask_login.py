# SPDX-License-Identifier: Apache-2.0
"""A Flask app as tutorials have it: static files, a login with a session, redirects, a webhook with a signed body.

    flask_login.py PORT [BASE]

With BASE it believes X-Forwarded-Prefix, whatever BASE is."""

import hashlib
import hmac
import sys

from flask import Flask, Response, flash, redirect, render_template_string, request, session, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

PAGE = """
<link rel="stylesheet" href="{{ url_for('style') }}">
<p id="who">{{ session.get('user', 'nobody') }}</p>
{% for message in get_flashed_messages() %}<i>{{ message }}</i>{% endfor %}
<form method="post" action="{{ url_for('login') }}"><input name="user"><button>in</button></form>
<a id="out" href="{{ url_for('logout') }}">out</a>
"""

app = Flask(__name__)
app.secret_key = "of no importance"
if len(sys.argv) > 2:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)


@app.route("/")
def index():
    return render_template_string(PAGE)


@app.route("/static-files/style.css")
def style():
    return Response("p { color: rgb(1, 2, 3) }", mimetype="text/css")


@app.route("/login", methods=["POST"])
def login():
    session["user"] = request.form["user"]
    flash("welcome")
    return redirect(url_for("private"))


@app.route("/private")
def private():
    if "user" not in session:
        return redirect(url_for("index", next=request.path))
    return render_template_string(PAGE)


@app.route("/logout")
def logout():
    session.clear()
    return redirect(url_for("index"))


@app.route("/hook", methods=["POST"])
def hook():
    expected = "sha256=" + hmac.new(b"k", request.get_data(), hashlib.sha256).hexdigest()
    if hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), expected):
        return "ok"
    return "bad signature", 401


app.run(host="localhost", port=int(sys.argv[1]), threaded=True)
