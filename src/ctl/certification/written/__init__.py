"""The certificate as a document and as tables."""
