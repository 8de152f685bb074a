"""The first example: the plan file that `demo` tells its story with; `plans/georgetown.yaml` is the same text."""

from __future__ import annotations

URL = "https://jeann.net/georgetown-penang-malaysia"

GEORGETOWN = """\
# yaml-language-server: $schema=cf-mtls.schema.json
# Who may open https://jeann.net/georgetown-penang-malaysia. The account is CLOUDFLARE_ACCOUNT_ID, or account_id: here.
version: 1
stack: georgetown                     # the ownership mark, unique in the account

certificates:                         # trust: a named group of CA chains on a set of hostnames
  penang-clients:
    chain: certs/certchain.pem        # root and intermediates, any order
    associated_hostnames: [jeann.net]

hostname_settings:
  jeann.net: {client_certificate_forwarding: true}

applications:
  georgetown:                         # no policies: Service Auth, any valid certificate
    domain: jeann.net/georgetown-penang-malaysia

clients:                              # who verify sends; the key stays where it is
  jean: {certificate: certs/clientcert.pem, key: certs/clientcert.key, expect: allowed}
"""
