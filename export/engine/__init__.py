"""TensorRT engines: parse, build, keep, put in place."""
