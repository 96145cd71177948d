"""Tables in print: their numbers as data, their arithmetic, and how much of their claims they can carry."""
