"""Certificates: the only importers of cryptography and, with the edge, of OpenSSL."""
