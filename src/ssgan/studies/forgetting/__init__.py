"""The forgetting experiment of Figure 3: a classifier whose task changes."""
