"""Is it the study's own analyte that is read: networks on other analytes, and treated against untreated draws."""
