"""What is computed: the recipe, the shipped ones, and a run's parameters made of one."""
