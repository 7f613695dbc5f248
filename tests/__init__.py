"""Mirrors ``kernelnet/``; ``tests/system`` runs real processes, ``test_packaging`` fresh installs."""
