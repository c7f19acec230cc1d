"""Which form of each convolution is fastest here, measured in the runtime itself."""
