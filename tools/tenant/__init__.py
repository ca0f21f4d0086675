"""A simulated Microsoft 365 tenant: deterministic data, served as Microsoft Graph serves it."""

from tools.tenant.answers import Answer
from tools.tenant.certificates import AppCertificate, new_certificate
from tools.tenant.cloud import Cloud, serve_cloud
from tools.tenant.data import Tenant
from tools.tenant.directory import App, User
from tools.tenant.service import Faults, Service, serve

__all__ = [
    "Answer",
    "App",
    "AppCertificate",
    "Cloud",
    "Faults",
    "Service",
    "Tenant",
    "User",
    "new_certificate",
    "serve",
    "serve_cloud",
]
