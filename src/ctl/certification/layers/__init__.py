"""Layers L0 to L5, one module each."""
