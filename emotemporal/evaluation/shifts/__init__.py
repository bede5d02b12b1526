"""What is left where faces look other than they did in training."""
