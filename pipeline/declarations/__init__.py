"""Files that users write: YAML read strictly, and refused in words that say what to do.

Recipes, targets and schedules are read by `yaml_files` alone, within bounds, as YAML 1.2; what a
section does not take is explained by `refusals`, as a key path, the value, and what is allowed;
`placeholders` refuses texts that KFP or Argo would change on the way.
"""
