"""Show the whole way from a film to the lamps on a machine without a camera."""
