"""Model and preprocessing as one: engines, predictors, smoothing."""
