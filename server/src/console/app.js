// What runs.
