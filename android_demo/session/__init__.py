"""How measuring goes: from settings to a file of results.

``measure``     measuring from Python, on one device
``session``     every model with all settings on one device
``procedure``   what surrounds the tool's runs: pauses, choice of cores, profile, time limit
``preparation`` bounded clocks and a screen that stays on, changed back in the end
``job``         one measurement: repetitions with pauses and samples in between
``cooling``     pauses until a device is cool
``alongside``   looks at a device while a model runs
``labelled``    images with their classes, out of a file or a folder
``accuracy``    top-1 accuracy on the device
``energy``      energy of an inference, as the battery tells it
``throttling``  when a measurement counts as throttled
``outcome``     what a tool's exit code means
``store``       the file that takes every measurement as it comes
"""
