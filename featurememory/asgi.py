"""What `up` serves: Django, ingestion and live streams behind one ASGI application."""

import os

import django
from django.core.handlers.wsgi import WSGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featurememory.settings")
django.setup(set_prefix=False)

from featurememory.serving.router import Router  # noqa: E402 - needs Django set up

application = Router(WSGIHandler())
