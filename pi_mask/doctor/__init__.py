"""Examine the machine, the configuration and the devices that a door needs."""
