"""Which contract a reference held on which session, and where it rolled."""
