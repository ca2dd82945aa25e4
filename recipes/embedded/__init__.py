"""The recipe of the embedded model: world, families of tasks, episodes, training, export."""
