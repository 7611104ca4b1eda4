"""The register: people, sessions, orders, and their audit chain."""
