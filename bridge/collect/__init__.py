"""Engines: each writes one capture a step, or raises."""
