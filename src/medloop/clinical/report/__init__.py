"""Reports a clinic can file: HTML and PDF, in English and Chinese, for any analysis."""
