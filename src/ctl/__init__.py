"""Cutover control: build, certify, gate and run, in the order of the flow."""

__version__ = "0.1.0"
