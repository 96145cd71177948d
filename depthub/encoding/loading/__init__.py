"""From a name or files to a frozen model with its weights and tokenizer."""
