"""What you want: YAML and PEM files become a desired `State`."""
