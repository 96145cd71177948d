"""Plain values: checked, spelt canonically, laid flat, and as text that is safe to show."""
