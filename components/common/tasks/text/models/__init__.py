"""The graphs of text classifiers, and how pretrained weights lie in their layers."""
