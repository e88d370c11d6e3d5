"""Measures the accuracy of models on labelled images: Keras models and converted files, side by side.

``statistics``  shares with their uncertainty, and whether two models differ beyond chance
``data``        which images: a folder, TFRecords, arrays, ...
``classes``     which of a model's outputs is which class of the data
``images``      reads images once, and prepares them as each model wants them
``evaluate``    `evaluate`, all of it
``result``      what it returns
``picture``     confusion matrices as PNG or SVG
``terminal``    tables
"""
