"""A simulated Microsoft 365 tenant: deterministic data, served as Microsoft Graph serves it."""

from tools.tenant.data import Tenant
from tools.tenant.service import Answer, Faults, Service, serve

__all__ = ["Answer", "Faults", "Service", "Tenant", "serve"]
