"""Run by a Python that has MediaPipe: classifies a PNG with a `.tflite`, prints JSON."""

import json
import sys

import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

model, picture = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
with vision.ImageClassifier.create_from_options(options) as classifier:
    result = classifier.classify(mp.Image.create_from_file(picture))
categories = result.classifications[0].categories
print(json.dumps({category.category_name: category.score for category in categories}))
