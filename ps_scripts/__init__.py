"""The PowerShell scripts that travel with bridge."""
