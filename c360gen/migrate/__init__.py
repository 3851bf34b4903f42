"""From one released state to the next: what is released, what differs, what that means, and the files that do it."""
