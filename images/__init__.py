"""Building the project's images and putting them into the development cluster. Standard library only."""
