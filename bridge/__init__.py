"""Reader folders of a FlexNet inventory beacon in, verified upload packages out."""

__version__ = "0.1.0"
