"""One module for each kind of place where traces live; each gives a `TraceSource`."""
