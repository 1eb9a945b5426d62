"""Generated vendor pairs, and from which size on each layer detects a defect."""
