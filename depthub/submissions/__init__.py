"""Rows that others send: what a board asks for, the file of a submission, its checks, and runs done again by third parties."""
