"""Everything that holds a tensor; torch is imported here and nowhere else."""
