"""The data sets of the field, as their users have them on disk: read, checked, prepared."""
