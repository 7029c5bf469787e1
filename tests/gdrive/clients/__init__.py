"""Clients that were written against the real service, and what they do with the stand-in."""
