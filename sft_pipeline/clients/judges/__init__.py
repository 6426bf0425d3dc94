"""Judges: whoever says of a request whether it needs a reasoning model, behind one small interface."""
