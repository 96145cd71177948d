"""Methods beyond prompts against plain re-statements of their equations."""
