"""The command `litesmith`: arguments in, exit status out; what it does lies in the other rooms."""
