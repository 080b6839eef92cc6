"""Bring annotations of many formats into the one form that training reads."""
