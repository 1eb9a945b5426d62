"""Puts this folder on the path: `certify_market` is the market that tests of all its subfolders certify."""
