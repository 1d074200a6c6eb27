"""What omnitwin can do, as functions: a config goes in, a frozen report comes out, progress goes to a Reporter."""
