"""Several pods that train one model: what starts them, and what each knows of the others."""
