"""What would turn the decision: causes removed, other series of ours in its place."""
