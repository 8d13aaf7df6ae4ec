"""Django alone, for any WSGI server; `up` serves asgi.py, which adds the live streams."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featurememory.settings")
application = get_wsgi_application()
