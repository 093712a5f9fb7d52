"""DICOM on the network: receiving, querying, fetching and sending by DIMSE (PS3.7, PS3.8)."""
