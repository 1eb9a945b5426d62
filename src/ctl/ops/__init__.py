"""Operations: the weekly cycle, retention, and the schemas of what they leave behind."""
