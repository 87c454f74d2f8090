"""What builds, sets up and shows the project. Standard library only, unless a module says otherwise."""
