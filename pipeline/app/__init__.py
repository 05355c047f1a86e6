"""What all commands share: Hydra in front, exit codes, errors in one line, interrupts and progress."""
