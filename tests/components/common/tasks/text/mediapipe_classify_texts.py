"""Run by a Python that has MediaPipe: classifies texts with a `.tflite`, writes their scores.

Usage: MODEL TEXTS SCORES; TEXTS is a JSON list of strings, SCORES one of lists by class.
"""

import json
import sys
from pathlib import Path

from mediapipe.tasks.python import BaseOptions, text

model, texts, scores = map(Path, sys.argv[1:])
options = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=str(model)))
found = []
with text.TextClassifier.create_from_options(options) as classifier:
    for words in json.loads(texts.read_text("utf-8")):
        categories = classifier.classify(words).classifications[0].categories
        by_index = {category.index: category for category in categories}
        found.append([by_index[index].score for index in range(len(by_index))])
        names = [by_index[index].category_name for index in range(len(by_index))]
scores.write_text(json.dumps({"labels": names, "scores": found}))
