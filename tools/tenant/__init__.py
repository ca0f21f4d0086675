"""A simulated Microsoft 365 tenant: deterministic data, served as Microsoft Graph serves it."""

from tools.tenant.answers import Answer
from tools.tenant.certificates import AppCertificate, new_certificate
from tools.tenant.cloud import Cloud, serve_cloud
from tools.tenant.data import Tenant
from tools.tenant.directory import App, User
from tools.tenant.faults import Faults
from tools.tenant.scenarios import SCENARIOS, scenario
from tools.tenant.service import Service, serve

__all__ = [
    "SCENARIOS",
    "Answer",
    "App",
    "AppCertificate",
    "Cloud",
    "Faults",
    "Service",
    "Tenant",
    "User",
    "new_certificate",
    "scenario",
    "serve",
    "serve_cloud",
]
