"""The four claims of a study: the evidence of each patient, the rule, and its registration beforehand."""
