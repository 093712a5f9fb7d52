"""The only room that speaks DICOM."""
