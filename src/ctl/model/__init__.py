"""What the rooms exchange: frozen types without behaviour beyond their own consistency."""
