"""Run by a Python that has MediaPipe: classifies PNG files with a `.tflite`, prints JSON."""

import json
import sys

import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

model, *pictures = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
with vision.ImageClassifier.create_from_options(options) as classifier:
    results = [classifier.classify(mp.Image.create_from_file(picture)) for picture in pictures]
print(
    json.dumps(
        [
            {
                category.category_name: category.score
                for category in found.classifications[0].categories
            }
            for found in results
        ]
    )
)
