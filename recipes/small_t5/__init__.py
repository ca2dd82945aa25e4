"""A small T5 trained from nothing on a task's own rows, by Stepladder's one fit loop."""
