"""What figures prove: metrics with intervals, exact tests, and non-inferiority.

Functions of counts and of paired answers, which know neither models nor files. `exact_tests` and
`noninferiority` take no library, so that a recipe is judged before anything is installed that
trains: how many examples a claim takes follows from the same formulas as whether it holds.
"""
