"""What figures prove: metrics with intervals, exact tests, and non-inferiority.

Functions of counts and of paired answers, which know neither models nor files. `exact_tests` and
`noninferiority` take no library, so that a recipe can be judged before anything that trains is
installed: the formulas that say whether a claim holds also say how many examples it takes.
"""
