# SPDX-License-Identifier: Apache-2.0
"""Django's admin, with a user `ann` whose password is `pw`.

    django_admin.py PORT [BASE]

BASE is its FORCE_SCRIPT_NAME. The database is a file in the current folder."""

import sys

import django
from django.conf import settings
from django.core.management import call_command

BASE = sys.argv[2] if len(sys.argv) > 2 else None

settings.configure(
    DEBUG=True,
    SECRET_KEY="of no importance",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    FORCE_SCRIPT_NAME=BASE,
    STATIC_URL="static/",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.sqlite"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
    ],
    # As `django-admin startproject` has them.
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
)
urlpatterns = []


def main():
    django.setup()
    from django.contrib import admin
    from django.contrib.auth import get_user_model
    from django.contrib.staticfiles.urls import staticfiles_urlpatterns
    from django.urls import path

    urlpatterns.append(path("admin/", admin.site.urls))
    if BASE:
        # runserver itself serves static files only where their URL and their path are the same.
        urlpatterns.extend(staticfiles_urlpatterns("static/"))
    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    if not users.filter(username="ann").exists():
        users.create_superuser("ann", "ann@example.com", "pw")
    call_command("runserver", f"localhost:{sys.argv[1]}", use_reloader=False, verbosity=0)


if __name__ == "__main__":
    # Django asks for the URLs by this module's name.
    sys.modules["django_admin"] = sys.modules["__main__"]
    main()
