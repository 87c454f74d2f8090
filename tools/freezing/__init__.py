"""Building the frozen sidecar: what goes in, what stays out, what it weighs. Used by sidecar.spec and dev.py."""
