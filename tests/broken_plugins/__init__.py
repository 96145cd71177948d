"""Parts of plugins that each break one part of the contract and keep the others; nothing here is installed."""
