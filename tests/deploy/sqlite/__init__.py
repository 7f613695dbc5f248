"""Tests of the deployment in SQLite."""
