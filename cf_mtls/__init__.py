"""Cloudflare Access mutual TLS, declared, applied and proven."""

__version__ = "0.1.0"
