"""Look for what is wrong with annotated pictures before they are trained on."""
