"""MLflow's own client: for servers, and for databases whose schema `bulk` does not know."""
