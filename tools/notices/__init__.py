"""Third-party notices: whose work is in what we ship, under which licence, with the licences' texts."""
