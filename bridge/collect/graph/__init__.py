"""The native engine: our reader folder Microsoft 365 read in Python."""

from bridge.collect.graph.engine import Graph

__all__ = ["Graph"]
