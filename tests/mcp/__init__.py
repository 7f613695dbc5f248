"""Tests of C{kernelnet.mcp}."""
