"""What ``medloop evaluate`` measures, task by task, and the page that tells it."""
