"""Fit the settings to one door by what the camera sees there."""
