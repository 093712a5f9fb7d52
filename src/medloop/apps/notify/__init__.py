"""Telling other systems that a result is there: webhook, HL7 v2, FHIR; each a destination."""
