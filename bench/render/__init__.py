"""One file per view of a report; views compute nothing."""
