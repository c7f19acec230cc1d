"""The version of the toolkit, readable without installing it."""

VERSION = "0.1.0"
