"""What a person sees of a store in MLflow's own pages."""
