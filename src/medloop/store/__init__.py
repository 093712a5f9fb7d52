"""The only room that speaks SQL: archive, catalog, jobs, results, audit."""
