"""What runs leave on this machine and in the store: folders, entries, releases.

`folders` are local runs, one each; `cache` is the store of finished work and what of it may go;
`models` are the releases in a registry; `leftovers` is what killed commands did not remove. A file
that is damaged is named and passed over, for others may write where these lie.
"""
