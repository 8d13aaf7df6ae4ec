"""Listening on the live bus: noticing commits, and handing events to streams."""
