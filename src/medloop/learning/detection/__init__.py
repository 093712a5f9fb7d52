"""Learning to find objects, from images with boxes."""
