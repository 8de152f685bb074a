"""The account: the only importer of the Cloudflare SDK."""
