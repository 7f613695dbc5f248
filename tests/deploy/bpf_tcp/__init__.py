"""Tests of kernelnet.deploy.bpf_tcp."""
