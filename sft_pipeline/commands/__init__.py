"""What the commands of the command line do, a module per kind; they print and exit, nothing else calls them."""
