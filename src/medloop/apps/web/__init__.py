"""The web server: who may come in, and routers for pages and DICOMweb."""
