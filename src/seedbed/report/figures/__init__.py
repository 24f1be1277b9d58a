"""The figures: each is curves or an analysis -> a value -> a drawing."""
