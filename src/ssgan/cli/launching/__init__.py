"""How a run on several processes is started here, and how a started one finds its rank."""
