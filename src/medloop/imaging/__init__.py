"""Pure functions: image in, image or number out."""
