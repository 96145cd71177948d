"""The frozen model: text and images to features, learned prompts at any layer."""
