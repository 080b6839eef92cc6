"""Turn a device or files into Frames."""
