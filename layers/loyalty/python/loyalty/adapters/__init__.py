"""Imperative shell: the ports, implemented with AWS and Klaviyo."""
