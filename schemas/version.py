"""The one place where the version stands, for all programs of the project. `dev.py version` sets it."""

VERSION = "0.1.0"
