"""Recognition: which recurring kind of input a feature vector belongs to. Plain logic, on numpy alone."""
