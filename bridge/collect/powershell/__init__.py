"""The PowerShell engine and the host that it talks to."""

from bridge.collect.powershell.engine import PowerShell, find_powershell

__all__ = ["PowerShell", "find_powershell"]
