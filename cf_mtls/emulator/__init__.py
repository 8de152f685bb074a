"""A small, loopback-only, misbehaving Cloudflare; shares no wire code with the client."""
