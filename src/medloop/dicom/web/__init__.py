"""DICOMweb (PS3.18) without HTTP: queries, metadata, frames, pictures, multipart bodies."""
