"""Mutation runs: what of hub and trainer could be changed without any test noticing."""
