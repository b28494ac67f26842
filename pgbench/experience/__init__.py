"""What a policy meets: environments, and the batches collected in them."""
