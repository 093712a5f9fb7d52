"""The other formats, in and out: NIfTI, pictures, zips."""
