"""Alerts: rules, their lives, silences, notification."""
