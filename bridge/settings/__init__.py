"""bridge.toml and the environment -> one frozen Settings."""

from bridge.settings.load import CONFIG_VARIABLE, Settings, config_path, load
from bridge.settings.shape import SKIP_PATTERNS, SaasManagement

__all__ = ["CONFIG_VARIABLE", "SKIP_PATTERNS", "SaasManagement", "Settings", "config_path", "load"]
