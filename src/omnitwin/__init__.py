"""omnitwin: train a twin (Siamese) network to tell whether two images show the same thing.

The command line is `omnitwin`; each of its abilities is a function in `omnitwin.workflows` first.
"""

__version__ = "0.1.0"
