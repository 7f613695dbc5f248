"""Errors of identities."""

__all__ = ["IdentityError"]


class IdentityError(Exception):
    """A file, directory, id or certificate is not as it must be; the text says what would be right."""
