"""What a CI system is told: issues, comments, annotations, outputs. No Cloudflare token comes here."""
