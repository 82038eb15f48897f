"""Programs for people who work on Escalator; nothing here is installed."""
